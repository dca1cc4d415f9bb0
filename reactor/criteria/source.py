"""Pieces of Python source that the emitter puts together.

A value that can be NULL is emitted as guards and a text: `v is not None` and `v`. A comparison
joins the guards of its sides with `and`, so that no three-valued logic is left at run time:
`(v is not None and v > 3)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from reactor.criteria.tree import Node, Ref, Type


class Names(Protocol):
    """How the names and constants of an expression are written in the source around it."""

    def read(self, ref: Ref) -> str:
        """Return the source of the raw value. An identifier is read freely, anything else once a use."""

    def constant(self, value: object) -> str:
        """Return the identifier of a global that holds `value`: all text of the user goes this way."""

    def function(self, function: Callable[..., Any]) -> str:
        """Return the identifier of a global that holds `function`."""

    def temp(self) -> str:
        """Return an identifier that nothing else assigns to."""


class Source(msgspec.Struct, frozen=True):
    """A value as source.

    guards: tests to be made in this order; where all hold, `text` is the value and not None.
    text: may be used once, unless `atom`: then it is an identifier or a literal.
    whole: source of the value or None, where that is shorter than the guards; else "".
    loose: whether the number may turn out not to be finite, which is NULL.
    double: whether the number is a float for certain.
    """

    guards: tuple[str, ...]
    text: str
    atom: bool = False
    whole: str = ""
    loose: bool = False
    double: bool = False


class Operand(msgspec.Struct, frozen=True):
    """A source with its type: `untyped` and lists are raw, what they are is seen at run time."""

    source: Source
    type: Type

    @property
    def raw(self) -> bool:
        """Whether this may be a list, or needs to be read as the kind of its place."""
        return self.type in ("untyped", "list", "strings", "numbers")


class Emitter(Protocol):
    """What the parts of the emitter call each other by."""

    names: Names

    def source(self, node: Node) -> Source:
        """Return the source of a value."""

    def test(self, node: Node, wanted: bool) -> str:
        """Return source that is truthy where the condition is true (wanted), or is false (not wanted)."""

    def compare(self, op: str, kind: str, left: Operand, right: Operand, wanted: bool) -> str:
        """As `test`, of a comparison of two operands."""


def all_of(parts: Iterable[str]) -> str:
    """Return source that holds where all parts hold."""
    kept = [part for part in dict.fromkeys(parts) if part != "True"]
    if "False" in kept:
        return "False"
    return f"({' and '.join(kept)})" if len(kept) > 1 else kept[0] if kept else "True"


def any_of(parts: Iterable[str]) -> str:
    """Return source that holds where any part holds."""
    kept = [part for part in dict.fromkeys(parts) if part != "False"]
    if "True" in kept:
        return "True"
    return f"({' or '.join(kept)})" if len(kept) > 1 else kept[0] if kept else "False"


def none_or(source: Source, names: Names) -> str:
    """Return source of the value, or of None where it is NULL."""
    if source.whole:
        return source.whole
    source = finite(source, names)
    test = all_of(source.guards)
    if test in ("True", "False"):
        return source.text if test == "True" else "None"
    return f"({source.text} if {test} else None)"


def from_whole(text: str, names: Names, nullable: bool, double: bool = False) -> Source:
    """Return the source of what `text`, an expression that may come to None, is."""
    if not nullable:
        return Source((), text, text.isidentifier(), double=double)
    if text.isidentifier():
        return Source((f"{text} is not None",), text, True, text, double=double)
    name = names.temp()
    return Source((f"({name} := {text}) is not None",), name, True, text, double=double)


def finite(source: Source, names: Names) -> Source:
    """Return the source of a number that is NULL where it would not be finite."""
    if not source.loose:
        return source
    if source.atom:
        return msgspec.structs.replace(
            source, guards=(*source.guards, f"{source.text} - {source.text} == 0.0"), loose=False
        )
    name = names.temp()
    guard = f"({name} := {source.text}) - {name} == 0.0"
    return Source((*source.guards, guard), name, True, double=source.double)


def bound(source: Source, names: Names) -> Source:
    """Return the source with a text that may be used any number of times."""
    if source.atom:
        return source
    name = names.temp()
    return msgspec.structs.replace(
        source,
        guards=(*source.guards, f"({name} := {source.text}) is not None"),
        text=name,
        atom=True,
        whole="",
    )


def known(source: Source) -> Source:
    """Return the source behind its guards: where they have been made."""
    return msgspec.structs.replace(source, guards=(), whole="")
