"""The config file's model: what may be written, before names and expressions are resolved.

These structs are the JSON Schema, and `convert` follows them. Every optional key is UNSET
where it is not written, so that defaults can depend on limits and on one another. In a
struct made of a faulty config a required key can be UNSET as well: it is reported by then.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

DTypeName: TypeAlias = Annotated[
    Literal["string", "number", "boolean", "timestamp", "strings", "numbers"],
    Meta(description="Type of the value: string, number, boolean, timestamp, strings or numbers."),
]
Duration: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^[0-9]{1,9}[smhd]$",
        description="A whole number and a unit: `30s`, `15m`, `24h`, `7d`.",
        extra={"expected": 'a duration such as "30s", "15m", "24h" or "7d"'},
    ),
]
Size: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^[0-9]{1,12}(B|KB|MB|GB)$",
        description="A size such as `500KB` or `1MB`, in powers of 1,000.",
        extra={"expected": 'a size such as "500KB", "1MB" or "8GB"'},
    ),
]
Sql: TypeAlias = Annotated[
    str | int | float | bool,
    Meta(description="A SQL expression, or a literal number.", extra={"expected": "a SQL expression"}),
]
Description: TypeAlias = Annotated[str, Meta(description="For people; the engine does not read it.")]
Filter: TypeAlias = Annotated[
    str | int | float | bool | dict[str, Sql | None],
    Meta(
        description="A SQL condition over the event's columns, or key event → condition or null.",
        extra={"expected": "a SQL condition"},
    ),
]
ByKeyEvent: TypeAlias = Annotated[
    str | int | float | bool | dict[str, Sql],
    Meta(
        description="A SQL expression over the event's columns, or key event → expression.",
        extra={"expected": "a SQL expression, or a mapping of key event → expression"},
    ),
]
On: TypeAlias = Annotated[
    str | list[str] | dict[str, Sql | None],
    Meta(
        description="A key event, a list of key events, or key event → condition or null.",
        extra={"expected": "a key event, a list of key events, or a mapping of key event → condition"},
    ),
]
Sensitive: TypeAlias = Annotated[
    bool, Meta(description="Whether a section with this in its payload is redacted for the public audience.")
]
Was: TypeAlias = Annotated[
    str, Meta(description="The attribute's former name, whose state a reload keeps under the new one.")
]
Decimals: TypeAlias = Annotated[
    int,
    Meta(
        ge=0,
        le=9,
        description="Decimal places an increment is rounded to; default 6.",
        extra={"expected": "a whole number from 0 to 9"},
    ),
]
Count: TypeAlias = Annotated[
    int, Meta(ge=1, le=1_000_000_000, extra={"expected": "a whole number from 1 to 1000000000"})
]


class Table(Struct, forbid_unknown_fields=True):
    """Where events arrive."""

    time: Annotated[str, Meta(description="The column of the event's time; default `time`.")] | UnsetType = (
        UNSET
    )
    timezone: (
        Annotated[str, Meta(description="IANA zone of times that name none, as Europe/London; default UTC.")]
        | UnsetType
    ) = UNSET
    columns: (
        Annotated[
            dict[str, Sql],
            Meta(description="Made columns: name → expression over the event's own columns."),
        ]
        | UnsetType
    ) = UNSET
    description: Description | UnsetType = UNSET


class Key(Struct, forbid_unknown_fields=True):
    """A stitching key."""

    valid: (
        Annotated[str, Meta(description="RE2 pattern, unanchored; other values are not identifiers.")]
        | UnsetType
    ) = UNSET
    invalid: (
        Annotated[list[str], Meta(description="Texts that are not identifiers, as `null` or `undefined`.")]
        | UnsetType
    ) = UNSET
    internal: (
        Annotated[bool, Meta(description="Whether events may not carry it: it joins batch rows only.")]
        | UnsetType
    ) = UNSET
    description: Description | UnsetType = UNSET


class Identity(Struct, forbid_unknown_fields=True):
    """Which columns identify a customer."""

    keys: (
        Annotated[
            dict[str, Key | None] | list[str],
            Meta(
                description="The stitching keys: name → options, or a list of names.",
                extra={"expected": "a mapping of stitching keys, or a list of their names"},
            ),
        ]
        | UnsetType
    )
    lookup_key: (
        Annotated[str, Meta(description="The key that imported batch rows are joined by.")] | UnsetType
    ) = UNSET
    secret: (
        Annotated[
            str,
            Meta(
                description="Keys the hash in a rid; `${NAME}` reads the environment.",
                extra={"expected": 'text such as "${REACTOR_SECRET}"', "private": True},
            ),
        ]
        | UnsetType
    ) = UNSET
    description: Description | UnsetType = UNSET


class KeyEvent(Struct, forbid_unknown_fields=True):
    """A named filter over one table."""

    table: Annotated[str, Meta(description="The table its events arrive in.")] | UnsetType
    where: Sql | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class Backfill(Struct, forbid_unknown_fields=True):
    """An imported value and the time it was true at."""

    value: Annotated[str, Meta(description="An imported attribute.")] | UnsetType
    time: Annotated[str, Meta(description="An imported attribute of dtype timestamp.")] | UnsetType
    description: Description | UnsetType = UNSET


class Single(Struct, forbid_unknown_fields=True, tag="single", tag_field="type"):
    """The latest value by event time."""

    on: On | UnsetType
    value: ByKeyEvent | UnsetType
    dtype: DTypeName | UnsetType
    ttl: Duration | UnsetType = UNSET
    backfill: Backfill | UnsetType = UNSET
    sensitive: Sensitive | UnsetType = UNSET
    was: Was | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class Aggregation(Struct, forbid_unknown_fields=True):
    """What is read of a list: one kind, and the column it reads (`item` or a field)."""

    first: str | UnsetType = UNSET
    last: str | UnsetType = UNSET
    sum: str | UnsetType = UNSET
    min: str | UnsetType = UNSET
    max: str | UnsetType = UNSET
    distinct: str | UnsetType = UNSET
    count: str | UnsetType = UNSET
    sensitive: Sensitive | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class ListAttribute(Struct, forbid_unknown_fields=True, tag="list", tag_field="type"):
    """The newest items."""

    on: On | UnsetType
    item: ByKeyEvent | UnsetType
    aggregations: (
        Annotated[dict[str, Aggregation], Meta(description="Name → {kind: column}.")] | UnsetType
    ) = UNSET
    fields: (
        Annotated[
            list[str] | dict[str, ByKeyEvent],
            Meta(
                description="Columns kept beside the item: a list of names, or name → expression.",
                extra={"expected": "a list of columns, or a mapping of field → expression"},
            ),
        ]
        | UnsetType
    ) = UNSET
    unique: Annotated[bool, Meta(description="One item a value, the newest; default false.")] | UnsetType = (
        UNSET
    )
    max_items: Count | UnsetType = UNSET
    ttl: Duration | UnsetType = UNSET
    delete_on: On | UnsetType = UNSET
    clear_on: On | UnsetType = UNSET
    sensitive: Annotated[bool, Meta(description="Default of the aggregations' `sensitive`.")] | UnsetType = (
        UNSET
    )
    was: Was | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class Counter(Struct, forbid_unknown_fields=True, tag="counter", tag_field="type"):
    """Counts or sums over a window that ends now."""

    on: On | UnsetType
    window: Duration | UnsetType
    increment: ByKeyEvent | UnsetType = UNSET
    decimals: Decimals | UnsetType = UNSET
    sub_windows: (
        Annotated[dict[str, Duration], Meta(description="Shorter windows: name → duration.")] | UnsetType
    ) = UNSET
    pane: Duration | UnsetType = UNSET
    was: Was | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class Total(Struct, forbid_unknown_fields=True, tag="total", tag_field="type"):
    """Counts or sums everything within its discard window."""

    on: On | UnsetType
    increment: ByKeyEvent | UnsetType = UNSET
    decimals: Decimals | UnsetType = UNSET
    discard: (
        Annotated[
            str,
            Meta(
                pattern="^([0-9]{1,9}[smhd]|never)$",
                description="How long an increment counts, or `never`; default 60d.",
                extra={"expected": 'a duration such as "60d", or "never"'},
            ),
        ]
        | UnsetType
    ) = UNSET
    backfill: Backfill | UnsetType = UNSET
    was: Was | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class Imported(Struct, forbid_unknown_fields=True, tag="imported", tag_field="type"):
    """A value of imported batch rows."""

    dtype: DTypeName | UnsetType
    column: (
        Annotated[str, Meta(description="The rows' column; default the attribute's own name.")] | UnsetType
    ) = UNSET
    sensitive: Sensitive | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class Computed(Struct, forbid_unknown_fields=True, tag="computed", tag_field="type"):
    """An expression over the profile; it has no state."""

    value: Sql | UnsetType
    description: Description | UnsetType = UNSET


class Payload(Struct, forbid_unknown_fields=True):
    """What a section returns."""

    attributes: (
        Annotated[dict[str, Sql], Meta(description="Output name → expression over the profile.")] | UnsetType
    ) = UNSET
    strings: Annotated[dict[str, str], Meta(description="Output name → text.")] | UnsetType = UNSET
    segments: (
        Annotated[list[str], Meta(description="Ids of segments to name where the profile is in them.")]
        | UnsetType
    ) = UNSET
    description: Description | UnsetType = UNSET


class Section(Struct, forbid_unknown_fields=True):
    """One candidate part of an answer."""

    payload: Payload | UnsetType
    on: (
        Annotated[
            str | list[str],
            Meta(
                description="A key event or a list; without it the section answers any event, and reads.",
                extra={"expected": "a key event, or a list of key events"},
            ),
        ]
        | UnsetType
    ) = UNSET
    where: Filter | UnsetType = UNSET
    when: (
        Annotated[
            str | int | float | bool,
            Meta(
                description="A SQL condition over the profile and `event.`.",
                extra={"expected": "a SQL condition"},
            ),
        ]
        | UnsetType
    ) = UNSET
    description: Description | UnsetType = UNSET


class Personalization(Struct, forbid_unknown_fields=True):
    """A group of sections."""

    sections: dict[str, Section] | UnsetType
    description: Description | UnsetType = UNSET


class Limits(Struct, forbid_unknown_fields=True):
    """Ceilings; raising one changes no default."""

    window: (
        Annotated[Duration, Meta(description="Longest window, ttl and discard; default 90d and 60d.")]
        | UnsetType
    ) = UNSET
    items: Count | UnsetType = UNSET
    keys: Count | UnsetType = UNSET
    attributes: Count | UnsetType = UNSET
    tables: Count | UnsetType = UNSET
    sub_windows: Count | UnsetType = UNSET
    associations: Count | UnsetType = UNSET
    panes: Count | UnsetType = UNSET
    fields: Count | UnsetType = UNSET
    name: Count | UnsetType = UNSET
    event: Size | UnsetType = UNSET
    value_bytes: Count | UnsetType = UNSET
    identifier_bytes: Count | UnsetType = UNSET
    clock_skew: Duration | UnsetType = UNSET
    idle: Duration | UnsetType | None = UNSET
    profiles: Count | UnsetType | None = UNSET
    memory: Size | UnsetType | None = UNSET
    when_full: Literal["evict", "refuse"] | UnsetType = UNSET


AttributeEntry: TypeAlias = Single | ListAttribute | Counter | Total | Imported | Computed


class Config(Struct, forbid_unknown_fields=True):
    """A reactor config. Top-level keys that start with `x-` are ignored."""

    version: Annotated[Literal[1], Meta(description="Version of this language.")] | UnsetType
    name: (
        Annotated[str, Meta(description="The config's name, in identity rows; default `reactor`.")]
        | UnsetType
    ) = UNSET
    description: Description | UnsetType = UNSET
    limits: Limits | UnsetType = UNSET
    tables: (
        Annotated[
            dict[str, Table | None] | list[str],
            Meta(
                description="Tables: `database.table` → options; unlisted ones have the defaults.",
                extra={"expected": "a mapping of tables, or a list of their names"},
            ),
        ]
        | UnsetType
    ) = UNSET
    identity: Identity | UnsetType = UNSET
    key_events: (
        Annotated[dict[str, str | KeyEvent], Meta(description="Name → table, or {table, where}.")] | UnsetType
    ) = UNSET
    attributes: dict[str, AttributeEntry] | UnsetType = UNSET
    segments: Annotated[dict[str, str], Meta(description="Batch segments: id → name.")] | UnsetType = UNSET
    personalizations: dict[str, Personalization] | UnsetType = UNSET


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the config language.

    >>> config_schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    schema = msgspec.json.schema(Config)
    top = schema["$defs"]["Config"]
    # What a struct can't say: keys for the author's own use, and one kind an aggregation.
    top["patternProperties"] = {"^x-": {}}
    kinds = ("first", "last", "sum", "min", "max", "distinct", "count")
    schema["$defs"]["Aggregation"]["oneOf"] = [{"required": [kind]} for kind in kinds]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "reactor config", **schema}
