"""What an explanation is made of. Plain data; what a person reads is made of it in `text`.

Everything may hold values of a profile and an event: no `repr` shows any. A public explanation
has the same structure, with `redacted` where something would tell of a sensitive value.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from reactor.units import format_time

Truth: TypeAlias = Literal["true", "false", "unknown"]
Wanted: TypeAlias = Literal["true", "false", "unknown", "not true", "not false", "known"]
Verdict: TypeAlias = Literal[
    "matched",
    "redacted",
    "other_event",
    "where_false",
    "where_unknown",
    "where_not_true",
    "when_false",
    "when_unknown",
    "when_not_true",
    "nobody",
]
Mark: TypeAlias = Literal["and", "or", "not", "is true", "is false", "is null", "leaf"]


class Private(msgspec.Struct, frozen=True):
    """A struct that shows nothing of what it holds when it is printed."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class Operand(Private, frozen=True):
    """A name that a leaf reads, as it is written there, and its value at the reading time.

    of: the computed attribute that reads it; None where the leaf does. A time is text.
    """

    name: str
    value: Any = None
    of: str | None = None
    redacted: bool = False


class Node(Private, frozen=True):
    """A condition of a criterion: a leaf, or what joins others.

    leaf: the leaf's number in its section, which is the same for equal leaves; None for no leaf.
    truth: None where it is redacted.
    """

    mark: Mark
    text: str
    truth: Truth | None
    leaf: int | None = None
    redacted: bool = False
    operands: tuple[Operand, ...] = ()
    nodes: tuple[Node, ...] = ()


class Distance(Private, frozen=True):
    """How far a leaf is from what is wanted of it: in words, and in data.

    subject: what would have to change, as SQL; value: what it is now.
    relation: what it has to be: `=`, `<>`, `<`, `<=`, `>`, `>=`, `in`, `not in`, `between`, `not between`,
        `like`, `not like`, `matches`, `not matches`, `starts with`, `not starts with`, `contains`,
        `not contains`, `set`, `unset`; bound: to what, a list for `in` and `between`.
    by: how much is missing: a number; milliseconds, for times and intervals; None where nothing tells.
    """

    text: str
    subject: str
    value: Any
    relation: str
    bound: Any = None
    by: int | float | None = None


class Need(Private, frozen=True):
    """A leaf that would have to change, what it would have to be, and how far it is from that."""

    leaf: int
    text: str
    wanted: Wanted
    distance: Distance


class Way(Private, frozen=True):
    """One smallest set of leaves that would have to change: with all of them, and no fewer, it matches.

    proven: whether there are values with which all hold together; then `example` has them, by name, for
        the names that would have to change. Where none were found (two leaves read the same attribute
        in ways that are not compared here), it is false.
    """

    needs: tuple[Need, ...]
    proven: bool
    example: dict[str, Any] = {}


class Turn(Private, frozen=True):
    """When the answer changes if nothing happens.

    state: `at` (then `at` tells), `never`, `redacted`, or `untold`: it depends on the written form of
        `now`, or has too many instants to try.
    at_ms: the same in ms.
    """

    state: Literal["at", "never", "redacted", "untold"]
    at: str | None = None
    at_ms: int | None = None

    @classmethod
    def of(cls, at_ms: int) -> Turn:
        """Return the turn at an instant."""
        return cls("at", format_time(at_ms), at_ms)


class SectionWhy(Private, frozen=True):
    """Why a section is offered, or is not.

    on: its key events; None for one without `on:`. key_event: the one that counts for this event.
    where, when: its criteria as trees; None for none, or where another key event makes them moot.
    ways: how it would match, the smallest first; () for one that does, None where they are redacted.
    more: whether there are further ways.
    turn: when it starts or ceases to be offered by itself.
    """

    name: str
    personalization: str
    verdict: Verdict
    on: tuple[str, ...] | None
    key_event: str | None
    where: Node | None
    when: Node | None
    ways: tuple[Way, ...] | None
    more: bool
    turn: Turn

    @property
    def matched(self) -> bool:
        """Whether it is offered, redacted or not."""
        return self.verdict in ("matched", "redacted")


class KeyEventWhy(Private, frozen=True):
    """A key event of the event's table: whether the event is one, and why not."""

    name: str
    truth: Truth | None
    where: Node | None


class PartChange(Private, frozen=True):
    """What the event would change: a part, before and after it, at the same reading time."""

    name: str
    before: Any = None
    after: Any = None
    redacted: bool = False


class Counted(Private, frozen=True):
    """An identifier of the event that counts. state: `known`, `new`, or `joined` by a batch row."""

    key: str
    value: str
    state: Literal["known", "new", "joined"]


class Refused(Private, frozen=True):
    """An identifier of the event that does not count, and why."""

    key: str
    value: Any
    reason: str


class ProfileMet(Private, frozen=True):
    """A profile that the event meets. survives: whether the others are joined into it."""

    rid: str
    created: str
    last_seen: str
    identifiers: int
    survives: bool


class Evicted(Private, frozen=True):
    """An association that the ceiling would remove: an identifier, or a merged-away rid under key None."""

    key: str | None
    value: str


class IdentityWhy(Private, frozen=True):
    """Who the event, or the read, is about. For the public audience all of it is redacted.

    outcome: `nobody`, `known`, `founded`, `attached` (new identifiers) or `merged`.
    profiles: those that are met, oldest first. idle: those that are found gone.
    """

    redacted: bool
    outcome: Literal["nobody", "known", "founded", "attached", "merged"] | None = None
    rid: str | None = None
    counted: tuple[Counted, ...] | None = None
    refused: tuple[Refused, ...] | None = None
    profiles: tuple[ProfileMet, ...] | None = None
    idle: tuple[str, ...] | None = None
    evicted: tuple[Evicted, ...] | None = None
