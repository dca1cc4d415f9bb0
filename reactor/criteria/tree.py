"""What an expression is: its types, its names, and the tree that the checker makes of SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

# `list` is a list of untyped elements (a list's `distinct`); an `untyped` value may turn out
# to be a scalar or a list when it is read.
Type: TypeAlias = Literal[
    "string", "number", "boolean", "timestamp", "interval", "strings", "numbers", "list", "untyped"
]
LISTS: Final = frozenset({"strings", "numbers", "list"})


class Name(msgspec.Struct, frozen=True):
    """What the checker knows of a name: its type, and whether it can be NULL."""

    type: Type
    nullable: bool = True


class Scope(msgspec.Struct, frozen=True):
    """The names an expression may use.

    names: names of the profile, as `visits`, `visits.day`, `last_order.time`, `email`.
    columns: event columns whose type is known (made columns); None where no event may be named.
        Any other column is untyped.
    bare: whether a bare name is a column of the event; else a column is written `event.x`.
    before: whether `before.X` may be used.
    now: whether `now` may be used.
    segments: the segment ids that `segment('…')` may name; None where it may not be used.
    """

    names: Mapping[str, Name] = {}
    columns: Mapping[str, Name] | None = None
    bare: bool = False
    before: bool = False
    now: bool = False
    segments: frozenset[str] | None = None


class Ref(msgspec.Struct, frozen=True):
    """A name as used in an expression. Equal uses are equal and hashable.

    kind: `column` (name: the column; path: fields of a nested object below it), `profile` (name:
        a key of `Scope.names`), `now`, or `segment` (name: the id).
    """

    kind: Literal["column", "profile", "now", "segment"]
    name: str
    type: Type
    nullable: bool
    path: tuple[str, ...] = ()
    before: bool = False
