"""Values worth trying for a name: those that its leaves speak of, and their neighbours.

For a number, a time, a boolean and the equality of texts they are complete: where leaves compare a
name with constants only and no candidate will do, no value will.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from reactor.attributes.items import value_key
from reactor.criteria import LISTS, Ref
from reactor.criteria.tree import Compare, Const, In, Like, Node, Regexp, StartsWith
from reactor.explain.tree import Leaf, computed_of
from reactor.spec.model import Config, Counter, ListAttribute, Total
from reactor.units import MAX_TIME_MS, MIN_TIME_MS, format_time

MOST: Final = 2_000  # candidates of one name; where there are fewer, none was left out
FRESH: Final = "another text"
_POWERS: Final = tuple(sign * 10.0**power for power in range(-2, 7) for sign in (1, -1))


def candidates(
    ref: Ref, leaves: Sequence[Leaf], current: Any, others: Iterable[Any], now_ms: int, config: Config
) -> list[Any]:
    """Return values to try for a name, the likeliest first; what it is now is the first.

    leaves: those that read it. others: the values of the other names that they read.
    """
    constants = [const for leaf in leaves for node in _nodes(leaf) for const in _constants(node)]
    beside = [*others]
    kind = "untyped" if ref.kind == "column" and ref.type == "untyped" else ref.type
    found: Iterable[Any]
    if ref.kind == "segment" or kind == "boolean":
        found = (True, False)
    elif kind == "number":
        found = _numbers(constants, beside, counts=is_count(ref, config))
    elif kind == "timestamp":
        found = _times(constants, beside, now_ms)
    elif kind == "string":
        found = _texts(constants, leaves, beside)
    elif kind in LISTS:
        found = _lists(constants, leaves, beside, ref, config)
    else:
        found = [
            *_texts(constants, leaves, beside),
            *_numbers(constants, beside, counts=False),
            True,
            False,
            *(format_time(each) for each in _times(constants, beside, now_ms) if each >= 0),
        ]
    nothing = [None] if ref.nullable else []
    return _distinct([current, *found, *nothing] if current is not None else [*found, *nothing])[:MOST]


def is_count(ref: Ref, config: Config) -> bool:
    """Tell whether a name is a count: a whole number from 0 on."""
    if ref.kind != "profile":
        return False
    base, _, part = ref.name.partition(".")
    attribute = config.attributes.get(base)
    if isinstance(attribute, Counter | Total):
        return attribute.increment is None
    return isinstance(attribute, ListAttribute) and attribute.aggregations[part].kind == "count"


def _nodes(leaf: Leaf) -> Iterator[Node]:
    """Yield what a leaf is made of: its tree, and those of the computed attributes it reads."""
    yield leaf.node
    for ref, _ in leaf.read:
        computed = computed_of(ref, leaf.config)
        if computed is not None:
            yield computed.value.root


def _constants(node: Node) -> Iterator[Const]:
    if isinstance(node, Const):
        yield node
        return
    for field in getattr(node, "__struct_fields__", ()):
        value = getattr(node, field)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, tuple):
                for inner in each:
                    yield from _constants(inner)
            elif hasattr(each, "__struct_fields__"):
                yield from _constants(each)


def _numbers(constants: Sequence[Const], beside: Sequence[Any], *, counts: bool) -> list[Any]:
    own = _values(constants, "number")
    own += [each for each in beside if isinstance(each, int | float) and not isinstance(each, bool)]
    points = sorted({float(each) for each in own})
    near = [point + step for point in points for step in (1, -1)]
    middles = [(low + high) / 2 for low, high in pairwise(points)]
    products = [x * y for x in points for y in points if len(points) < 6]
    products += [x / y for x in points for y in points if y and len(points) < 6]
    if counts:
        whole = [step + int(each // 1) for each in [*points, *middles, *products] for step in (0, 1, 2, -1)]
        return [each for each in [*(int(p) for p in points if p == p // 1), *whole, 0, 1] if each >= 0]
    return [_plain(each) for each in [*points, *near, *middles, 0, *products, *_POWERS]]


def _plain(number: float) -> int | float:
    return int(number) if number == number // 1 and abs(number) < 2**53 else number


def _times(constants: Sequence[Const], beside: Sequence[Any], now_ms: int) -> list[int]:
    bases = _values(constants, "timestamp")
    bases += [now_ms, *(each for each in beside if isinstance(each, int) and not isinstance(each, bool))]
    shifts = _values(constants, "interval")
    moves = {0, *shifts, *(-shift for shift in shifts)}
    points = sorted({base + move for base in bases for move in moves})
    found = [point + step for point in points for step in (0, 1, -1)]
    found += [(low + high) // 2 for low, high in pairwise(points)]
    return [each for each in found if MIN_TIME_MS <= each <= MAX_TIME_MS]


def _values(constants: Sequence[Const], kind: str) -> list[Any]:
    return [const.value for const in constants if const.type == kind and const.value is not None]


def _texts(constants: Sequence[Const], leaves: Sequence[Leaf], beside: Sequence[Any]) -> list[str]:
    own = [const.value for const in constants if isinstance(const.value, str)]
    own += [each for each in beside if isinstance(each, str)]
    samples = [text for leaf in leaves for text in _samples(leaf.node)]
    cased = [text.upper() for text in own] + [text.lower() for text in own]
    fresh = FRESH
    while fresh in own:
        fresh += "!"
    return [*own, *samples, *cased, fresh, "", *(text + "x" for text in own)]


def _samples(node: Node) -> Iterator[str]:
    """Yield texts that a test of text may be true of."""
    if isinstance(node, Like):
        plain = node.pattern
        if node.escape:
            plain = plain.replace(node.escape, "")
        yield plain.replace("%", "").replace("_", "x")
        yield plain.replace("%", "x").replace("_", "x")
    elif isinstance(node, Regexp):
        first = node.pattern.replace("(?i)", "").partition("|")[0]
        plain = first.removeprefix("^").removesuffix("$")
        yield plain.replace(".*", "").replace("\\", "")
        yield plain.replace(".*", "x").replace(".", "x")
    elif isinstance(node, StartsWith) and isinstance(node.prefix, Const) and node.prefix.value is not None:
        yield f"{node.prefix.value}"


def _lists(
    constants: Sequence[Const], leaves: Sequence[Leaf], beside: Sequence[Any], ref: Ref, config: Config
) -> list[Any]:
    """Return lists of the constants: each alone, all, and as many elements as the constants say."""
    sizes = sorted(
        {int(const.value) for const in constants if isinstance(const.value, int) and 0 <= const.value <= 100}
    )
    is_numbers = ref.type == "numbers"
    if is_numbers:
        values: list[Any] = _numbers(constants, beside, counts=False)[:20]
    elif ref.type == "strings":
        values = _texts(constants, leaves, beside)[:20]
    else:
        values = [*_texts(constants, leaves, beside)[:10], *_numbers(constants, beside, counts=False)[:10]]
    compared = [each for each in values if any(_speaks_of(leaf.node, each) for leaf in leaves)]
    found: list[Any] = [[each] for each in values]
    found += [compared, [*compared, *values[:1]]]
    fill = [number + 0.5 for number in range(102)] if is_numbers else [f"{FRESH} {n}" for n in range(102)]
    for size in sizes:
        for length in (size, size + 1, size - 1):
            if 0 <= length:
                found += [fill[:length], [*compared, *fill][:length]]
    is_key = any(ref.name == key.name for key in config.keys)
    return [*(each for each in found if each or not is_key), *([] if is_key else [[]])]


def _speaks_of(node: Node, value: Any) -> bool:
    if isinstance(node, In | Compare):
        return any(const.value == value for const in _constants(node))
    return any(const.value == value for const in _constants(node))


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for value in values:
        if isinstance(value, dict):
            value = list(value)
        found.setdefault(value_key(value), value)
    return list(found.values())
