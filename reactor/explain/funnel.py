"""What a funnel is made of: over a whole history, what each leaf of a section's criteria lets through."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from reactor.explain.shapes import Private
from reactor.explain.text import printable
from reactor.payload import Audience


class Step(Private, frozen=True):
    """A condition that an event must pass, and how many are left behind it and those before it."""

    criterion: str
    text: str
    left: int


class Near(Private, frozen=True):
    """A leaf with its bound moved: by how much, and how many more events would then be offered.

    Of those are counted that this leaf alone stops.
    """

    text: str
    by: str
    more: int


class LeafCount(Private, frozen=True):
    """How often a leaf was true, false and unknown, and how many events it alone stopped.

    criterion: `where` or `when`. near: for a leaf that compares in order. For the public audience numbers
    are None where they would tell of a sensitive value.
    """

    criterion: str
    text: str
    true: int | None = None
    false: int | None = None
    unknown: int | None = None
    alone: int | None = None
    near: tuple[Near, ...] = ()
    redacted: bool = False


class Funnel(Private, frozen=True):
    """A section over a history: the events of its key events, and what became of them.

    steps: what all of them must pass, in order; () where a leaf is redacted. leaves: all, in order.
    """

    section: str
    audience: Audience
    on: tuple[str, ...] | None
    events: int
    offered: int
    steps: tuple[Step, ...]
    leaves: tuple[LeafCount, ...]

    def json(self) -> bytes:
        """Return it as JSON."""
        return _encode({"version": 1, **{name: getattr(self, name) for name in self.__struct_fields__}})

    def text(self) -> str:
        """Return it for a person, at most 80 columns wide but for leaves that are longer."""
        return "".join(f"{printable(line).rstrip()}\n" for line in _lines(self))


_encode = msgspec.json.Encoder().encode


def _lines(funnel: Funnel) -> Iterator[str]:
    of = "" if funnel.on is None else f" of {' or '.join(funnel.on)}"
    yield f"{funnel.section}: {funnel.events:,} events{of}, {funnel.offered:,} offered"
    if funnel.steps:
        yield from ("", "step by step, how many are left:", f"  {funnel.events:>11,}  events{of}")
        for step in funnel.steps:
            yield f"  {step.left:>11,}  {step.text}"
    yield from ("", "leaf by leaf:", f"  {'true':>11} {'false':>11} {'unknown':>11} {'alone':>11}")
    for leaf in funnel.leaves:
        numbers = [leaf.true, leaf.false, leaf.unknown, leaf.alone]
        shown = " ".join(f"{'redacted' if number is None else f'{number:,}':>11}" for number in numbers)
        yield f"  {shown}  {leaf.text}"
    yield "  (alone: the events that this leaf stops and no other)"
    for leaf in funnel.leaves:
        if leaf.near:
            yield from ("", f"near misses of {leaf.text}, which alone stops {leaf.alone:,}:")
            yield from (f"  {f'+{near.more:,}':>11}  with {near.text}  (by {near.by})" for near in leaf.near)
