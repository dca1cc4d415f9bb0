"""Whether leaves can come out as a way asks, all together: by trying values.

Leaves that read a name in common are tried together, on values that they speak of. A find is a
proof, for the leaves themselves were asked. Not to find one is a proof where the candidates are
complete; elsewhere it is not told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, product
from typing import Any, Final, TypeAlias

from reactor.criteria import Ref
from reactor.criteria.tree import As, Between, Compare, In, IsNull, Node, Truth
from reactor.criteria.walk import Read, walk
from reactor.explain.candidates import MOST, candidates
from reactor.explain.tree import Leaf, Truth3, computed_of, refs_found, refs_in
from reactor.explain.ways import Plan, Will
from reactor.spec.model import Config

MOST_TRIES: Final = 200  # of values together, where several names are tried
MOST_TRIES_ALL: Final = 1_000  # for all ways of one section, where they depend on the profile
MOST_KEPT: Final = 2_000  # answers that a section remembers

Example: TypeAlias = dict[Ref, Any]
Found: TypeAlias = tuple[bool | None, Example]


class Solver:
    """Tries the ways of one section. What does not depend on the profile is tried once."""

    def __init__(self, leaves: Sequence[Leaf], config: Config) -> None:
        self._leaves = leaves
        self._config = config
        self._bases = [_bases(leaf, config) for leaf in leaves]
        self._static = [
            len(bases) == 1 and not leaf.tells_time for bases, leaf in zip(self._bases, leaves, strict=True)
        ]
        self._plain = [_is_plain(leaf) for leaf in leaves]
        self._known: dict[tuple[tuple[int, Will], ...], Found] = {}
        self._tries_left = MOST_TRIES_ALL

    def begin(self) -> None:
        """Begin with the ways of another explanation: what they may cost together starts anew."""
        self._tries_left = MOST_TRIES_ALL

    def solve(self, plan: Plan, truths: Sequence[Truth3], read: Read, now_ms: int) -> Found:
        """Tell whether values can bring a plan about, and name those of the names that have to change."""
        example: Example = {}
        verdict: bool | None = True
        for group in self._groups(plan):
            if all(truths[leaf] in plan[leaf] for leaf in group):
                continue  # as it is already
            found, values = self._group(tuple((leaf, plan[leaf]) for leaf in group), read, now_ms)
            if found is False:
                return False, {}
            verdict = None if found is None else verdict
            example.update(values)
        if verdict and self._is_entangled(plan, example):
            verdict = None
        return verdict, example if verdict else {}

    def _groups(self, plan: Plan) -> list[list[int]]:
        """Return the leaves of a plan in groups that share no name."""
        groups: list[tuple[set[Ref], list[int]]] = []
        for leaf in sorted(plan):
            names = set(self._bases[leaf])
            mine = [group for group in groups if group[0] & names]
            for group in mine:
                groups.remove(group)
                names |= group[0]
            groups.append((names, sorted(leaf for group in [*mine, (names, [leaf])] for leaf in group[1])))
        return [leaves for _, leaves in groups]

    def _group(self, wanted: tuple[tuple[int, Will], ...], read: Read, now_ms: int) -> Found:
        if not all(self._static[leaf] for leaf, _ in wanted):
            return self._try(wanted, read, now_ms, self._tries_left)
        found = self._known.get(wanted)
        if found is None:
            left = self._tries_left
            found = self._try(wanted, lambda ref: None, now_ms, MOST)
            self._tries_left = left  # what is remembered costs nothing the next time
            if len(self._known) < MOST_KEPT:
                self._known[wanted] = found
        return found

    def _try(self, wanted: tuple[tuple[int, Will], ...], read: Read, now_ms: int, most: int) -> Found:
        leaves = [self._leaves[leaf] for leaf, _ in wanted]
        names = list(dict.fromkeys(ref for leaf, _ in wanted for ref in self._bases[leaf]))
        current = {ref: read(ref) for ref in names}
        choices = [
            candidates(
                ref,
                [
                    leaf
                    for leaf, (number, _) in zip(leaves, wanted, strict=True)
                    if ref in self._bases[number]
                ],
                current[ref],
                [value for other, value in current.items() if other != ref],
                now_ms,
                self._config,
            )
            for ref in names
        ]
        tries = product(*choices) if len(names) < 2 else islice(_few_first(choices), MOST_TRIES)
        count = 0
        for values in islice(tries, max(most, 0)):
            count += 1
            given = dict(zip(names, values, strict=True))
            inner = self._reading(given, now_ms)
            if all(leaf.run(inner) in will for leaf, (_, will) in zip(leaves, wanted, strict=True)):
                self._tries_left -= count
                changed = {ref: value for ref, value in given.items() if value != current[ref]}
                return True, changed or given
        self._tries_left -= count
        is_complete = len(names) == 1 and all(self._plain[leaf] for leaf, _ in wanted)
        is_complete = is_complete and len(choices[0]) < min(MOST, most)
        return (False if is_complete or not names else None), {}

    def _reading(self, values: Mapping[Ref, Any], now_ms: int) -> Read:
        def read(ref: Ref) -> Any:
            if ref.kind == "now":
                return now_ms
            computed = computed_of(ref, self._config)
            if computed is None:
                return values[ref]
            return walk(computed.value, lambda inner: read(_as_read(inner, ref)))

        return read

    def _is_entangled(self, plan: Plan, example: Example) -> bool:
        """Tell whether a way changes a name while it reads another part of the same attribute."""
        changing = {(ref.name, ref.before) for ref in example if ref.kind == "profile"}
        bases = {name.partition(".")[0] for name, _ in changing}
        names = {ref.name for leaf in plan for ref in self._bases[leaf] if ref.kind == "profile"}
        return any(len([name for name in names if name.partition(".")[0] == base]) > 1 for base in bases)


def _few_first(choices: Sequence[Sequence[Any]]) -> Any:
    """Yield combinations: first those that change one name, then all."""
    firsts = [choice[0] for choice in choices]
    yield tuple(firsts)
    for place, choice in enumerate(choices):
        for value in choice[1:]:
            yield (*firsts[:place], value, *firsts[place + 1 :])
    yield from product(*choices)


def _as_read(ref: Ref, reader: Ref) -> Ref:
    if not reader.before or ref.kind == "now":
        return ref
    return Ref(ref.kind, ref.name, ref.type, ref.nullable, ref.path, True)


def _bases(leaf: Leaf, config: Config) -> tuple[Ref, ...]:
    """Return the names with a value of their own that a leaf reads: not `now`, not computed attributes."""
    return tuple(
        dict.fromkeys(ref for ref, _ in leaf.read if ref.kind != "now" and computed_of(ref, config) is None)
    )


def _is_plain(leaf: Leaf) -> bool:
    """Tell whether a leaf compares one name, as it is, with constants or times reckoned from `now`.

    Of texts only equality is plain.
    """
    node = leaf.node
    subject, others, equality = _sides(node)
    if not isinstance(subject, Ref) or computed_of(subject, leaf.config) is not None:
        return False
    if any(True for each in others for ref in refs_in(each) if ref.kind != "now"):
        return False
    if subject.kind == "segment" or subject.type in ("number", "timestamp", "boolean"):
        return True
    return subject.type == "string" and equality


def _sides(node: Node) -> tuple[Node | None, tuple[Node, ...], bool]:
    match node:
        case Compare(op=op, left=left, right=right):
            subject, other = (left, right) if isinstance(left, Ref) or refs_found(left) else (right, left)
            return subject, (other,), op not in ("<", "<=", ">", ">=")
        case Between(subject=subject, low=low, high=high):
            return subject, (low, high), False
        case In(subject=subject, options=options):
            return subject, options, True
        case IsNull(arg=arg):
            return arg, (), True
        case Truth(operand=operand):
            return (operand.operand if isinstance(operand, As) else operand), (), True
    return None, (), False
