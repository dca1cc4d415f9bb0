"""What a config's state means: enough to read old state, and to tell what of it a new config may keep.

A snapshot carries the `Schema` of the config it was made under; so one can be read, and moved to
another config, without the old config at hand. It holds names and expressions of the config, and
neither the secret nor any value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, TypeAlias

import msgspec

from reactor.criteria import Expression
from reactor.plan import Layout
from reactor.spec.model import (
    Config,
    Counter,
    Imported,
    ListAttribute,
    Single,
    Total,
    Trigger,
)

Plain: TypeAlias = Any
WithState: TypeAlias = Single | ListAttribute | Counter | Total

KINDS: Final[Mapping[type, str]] = {
    Single: "single",
    ListAttribute: "list",
    Counter: "counter",
    Total: "total",
}
# What may change without the state becoming another, and what is no part of the behaviour.
_ASIDE: Final = frozenset({"description", "warnings", "source", "secret", "names", "was"})
_TEXTS: Final = re.compile(r"""('[^']*'|"[^"]*")|\s+""")


class KeyForm(msgspec.Struct, frozen=True, array_like=True):
    """A stitching key; `rules` tells whether the same values are valid."""

    name: str
    rules: str


class WindowForm(msgspec.Struct, frozen=True, array_like=True):
    """A window of a counter; the one without a name is its own."""

    name: str | None
    window_ms: int
    pane_ms: int


class Form(msgspec.Struct, frozen=True, array_like=True):
    """An attribute with state.

    aspects: what its state means, each aspect in a short text that changes when it does.
    columns: of a list, the item first. unit_ms: the finest pane of a ring; 0 for none.
    most: `max_items` of a list.
    """

    name: str
    kind: str
    aspects: dict[str, str]
    columns: tuple[str, ...] = ()
    unit_ms: int = 0
    windows: tuple[WindowForm, ...] = ()
    most: int = 0


class ImportedForm(msgspec.Struct, frozen=True, array_like=True):
    """An imported attribute."""

    name: str
    column: str
    dtype: str


class Schema(msgspec.Struct, frozen=True, array_like=True):
    """What state looks like under a config: keys, attributes and imported columns in their order.

    fingerprint: of the whole config but for the secret, in hexadecimal digits.
    """

    fingerprint: str
    name: str
    associations: int
    lookup_key: str | None
    keys: tuple[KeyForm, ...]
    attributes: tuple[Form, ...]
    imported: tuple[ImportedForm, ...]


def schema_of(layout: Layout) -> Schema:
    """Return the schema of a config, as it lies in its layout."""
    config = layout.config
    return Schema(
        fingerprint(config),
        config.name,
        config.limits.associations,
        config.lookup_key,
        tuple(KeyForm(key.name, _digest([key.valid, sorted(key.invalid)])) for key in config.keys),
        tuple(_form(config, name) for name in layout.slots),
        tuple(
            ImportedForm(each.name, each.column, each.dtype)
            for each in config.attributes.values()
            if isinstance(each, Imported)
        ),
    )


def fingerprint(config: Config) -> str:
    """Return a digest of all that decides what the engine does, but for the secret."""
    return _digest(_plain(config))


def former_name(config: Config, name: str) -> str | None:
    """Return the name that an attribute had before, if the config says so."""
    return getattr(config.attributes[name], "was", None)


def _form(config: Config, name: str) -> Form:
    attribute = config.attributes[name]
    assert isinstance(attribute, WithState)
    aspects = {each: _digest(value) for each, value in _aspects(config, attribute).items()}
    kind = KINDS[type(attribute)]
    if isinstance(attribute, ListAttribute):
        return Form(name, kind, aspects, ("item", *attribute.fields), most=attribute.max_items)
    if isinstance(attribute, Counter):
        windows = tuple(WindowForm(each.name, each.window_ms, each.pane_ms) for each in attribute.windows)
        return Form(name, kind, aspects, (), min(each.pane_ms for each in windows), windows)
    if isinstance(attribute, Total) and attribute.discard_ms is not None:
        window = WindowForm(None, attribute.discard_ms, attribute.pane_ms)
        return Form(name, kind, aspects, (), attribute.pane_ms, (window,))
    return Form(name, kind, aspects)


def _aspects(config: Config, attribute: WithState) -> dict[str, Plain]:
    """Return what the state of an attribute means, aspect by aspect, named as in the config."""
    on = attribute.on

    def texts(by_key_event: Mapping[str, Expression] | None, triggers: Sequence[Trigger] = on) -> Plain:
        if by_key_event is None:
            return None
        return [_text(config, by_key_event[each.key_event], each.key_event) for each in triggers]

    aspects: dict[str, Plain] = {"on": _triggers(config, on)}
    if isinstance(attribute, Single):
        return {**aspects, "value": texts(attribute.value), "dtype": attribute.dtype}
    if isinstance(attribute, ListAttribute):
        deletes = attribute.delete_on
        return {
            **aspects,
            "item": texts(attribute.item),
            "fields": sorted([name, texts(each)] for name, each in attribute.fields.items()),
            "unique": attribute.unique,
            "delete_on": [_triggers(config, deletes), texts(attribute.item, deletes)],
            "clear_on": _triggers(config, attribute.clear_on),
        }
    aspects.update(increment=texts(attribute.increment), decimals=attribute.decimals)
    if isinstance(attribute, Total):
        aspects["discard"] = attribute.discard_ms is None
        aspects["pane"] = None if attribute.discard_ms is None else attribute.pane_ms
    return aspects


def _triggers(config: Config, triggers: Sequence[Trigger]) -> Plain:
    described = []
    for trigger in triggers:
        event = config.key_events[trigger.key_event]
        wheres = [_text(config, where, trigger.key_event) for where in (event.where, trigger.where)]
        described.append([event.table, *wheres])
    return described


def _text(config: Config, expression: Expression | None, key_event: str) -> Plain:
    """Return an expression as text, with the made columns that it reads."""
    if expression is None:
        return None
    columns = config.tables[config.key_events[key_event].table].columns
    made = sorted({ref.name for ref in expression.refs if ref.kind == "column" and ref.name in columns})
    return [_spaced(expression.text), *([name, _spaced(columns[name].text)] for name in made)]


def _spaced(text: str) -> str:
    """Return an expression's text with single spaces, but inside quotes.

    >>> _spaced("a  =\\n'x  y'")
    "a = 'x  y'"
    """
    return _TEXTS.sub(lambda match: match[1] or " ", text).strip()


def _plain(value: object) -> Plain:
    """Return a part of a config as data that a digest can be made of; mappings keep their order."""
    if isinstance(value, Expression):
        return _spaced(value.text)
    if isinstance(value, msgspec.Struct):
        fields = [name for name in value.__struct_fields__ if name not in _ASIDE]
        return [type(value).__name__, *([name, _plain(getattr(value, name))] for name in fields)]
    if isinstance(value, Mapping):
        return [[name, _plain(each)] for name, each in value.items()]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def _digest(value: Plain) -> str:
    return blake2b(msgspec.msgpack.encode(value), digest_size=16).hexdigest()
