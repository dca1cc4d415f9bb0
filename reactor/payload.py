"""What goes out: offers, and the values in them as JSON knows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypedDict

import msgspec
from msgspec import structs

from reactor.identity import Identity, Row, Stitched, format_rid
from reactor.units import format_time, to_datetime
from reactor.values import canonical

Audience: TypeAlias = Literal["public", "private"]


class Segment(TypedDict):
    """A batch segment the profile is in."""

    id: str


class Offer(TypedDict, total=False):
    """What a matching section contributes. A redacted one is empty."""

    attributes: dict[str, Any]
    batch_segments: list[Segment] | None


class Notes(msgspec.Struct, frozen=True):
    """What stitching noted of one event: enough for the log rows, should someone ask for them.

    rid, held: the profile's rid just then, and key by key the values it held: it goes on changing.
        held is None where those are the event's new ones and no others.
    """

    identity: Identity
    stitched: Stitched
    rid: int
    held: tuple[tuple[str, ...] | None, ...] | None
    now_ms: int
    tracking_id: object

    def id_changes(self) -> list[Row]:
        """Build the rows about what changed."""
        held = self.held
        if held is None:
            new = dict(self.stitched.new)
            held = tuple((new[k],) if k in new else None for k in range(self.identity.key_count))
        then = structs.replace(self.stitched, profile=[self.rid, 0, 0, None, *held])
        return self.identity.id_changes(then, self.now_ms, self.tracking_id)

    def validation_failures(self) -> list[Row]:
        """Build the row about identifiers that are none."""
        return self.identity.validation_failures(self.stitched.failures, self.now_ms, self.tracking_id)

    def __repr__(self) -> str:
        return "Notes()"


class Outcome(msgspec.Struct, frozen=True):
    """The answer to one event or read.

    offers: section name → offer, in config order.
    rid_value, now_ms: the profile's rid as an int, and the reading time; see `rid` and `now`.
    notes: what the log rows are made of; see `id_changes` and `validation_failures`.
    """

    offers: dict[str, Offer]
    rid_value: int | None
    now_ms: int | None
    notes: Notes | None = None

    @property
    def rid(self) -> str | None:
        """The profile's stable id; None for an event without a usable identifier."""
        return None if self.rid_value is None else format_rid(self.rid_value)

    @property
    def now(self) -> datetime | None:
        """The reading time in UTC; None for a read of nobody without `now`."""
        return None if self.now_ms is None else to_datetime(self.now_ms)

    @property
    def id_changes(self) -> list[Row]:
        """Rows about what the event changed in identity, for the embedder's own log: private data."""
        return [] if self.notes is None else self.notes.id_changes()

    @property
    def validation_failures(self) -> list[Row]:
        """The row about identifiers that are none, for the embedder's own log: private data."""
        return [] if self.notes is None else self.notes.validation_failures()

    def json(self) -> bytes:
        """Return the response body: `{"offers": {...}}`."""
        return _encode({"offers": self.offers})

    def __repr__(self) -> str:
        return f"Outcome({len(self.offers)} offers)"


_encode = msgspec.json.Encoder().encode


def number_out(value: Any) -> Any:
    """Return a number in its one form: a whole one below 2^53 as an int. NULL stays None."""
    return value if value is None or value.__class__ is int else canonical(value)


def time_out(time_ms: int | None) -> str | None:
    """Return a timestamp as `YYYY-MM-DDTHH:MM:SS.mmmZ`. NULL stays None."""
    return None if time_ms is None else format_time(time_ms)


def value_out(value: Any) -> Any:
    """Return a value that may be a list as one that shares nothing with the profile.

    The values of a stitching key, which a row has as a dict, come in the order of their texts.

    >>> value_out({"b@example.com": 5, "a@example.com": 9})
    ['a@example.com', 'b@example.com']
    """
    if value.__class__ is list:
        return [value_out(element) for element in value]
    return sorted(value) if value.__class__ is dict else value


def segments_out(ids: Iterable[str], held: frozenset[str]) -> list[Segment]:
    """Return the segments among `ids` that the profile is in, in their order."""
    return [{"id": each} for each in ids if each in held]
