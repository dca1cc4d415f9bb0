"""Source of comparisons and other leaves of a condition: of the forms is-true and is-false.

Where a side is raw, its common class is tested in line, and the leaf of the slow walk is called
for everything else: numbers as text, lists, and what can't be read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from reactor.criteria import like, regexp
from reactor.criteria.emit_value import class_test, operand_of
from reactor.criteria.leaves import Leaf, any3, comparison, same, view_of
from reactor.criteria.source import Emitter, Operand, Source, all_of, any_of, bound, finite, none_or
from reactor.criteria.tree import Between, Compare, Const, Contains, In, Like, Node, Regexp, StartsWith
from reactor.criteria.walk import leaf_of

_PYTHON: Final = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CONTRARY: Final = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SAFE: Final = {"is distinct from": ("!=", "=="), "is not distinct from": ("==", "!=")}


def leaf_test(node: Node, wanted: bool, to: Emitter) -> str:
    """Return source that is truthy where the leaf is true, or where it is false (not wanted)."""
    return _TESTS[type(node)](node, wanted, to)


def compare_test(op: str, kind: str, left: Operand, right: Operand, wanted: bool, to: Emitter) -> str:
    """Return the test of a comparison."""
    if left.raw and right.raw:
        return _raw_raw(op, kind, left, right, wanted, to)
    if left.raw:
        return _raw_scalar(op, kind, left, right, wanted, False, to)
    if right.raw:
        return _raw_scalar(_FLIPPED.get(op, op), kind, right, left, wanted, True, to)
    if op in _SAFE:
        sign = _SAFE[op][not wanted]
        return f"({none_or(left.source, to.names)} {sign} {none_or(right.source, to.names)})"
    op = op if wanted else _CONTRARY[op]
    first, second = finite(left.source, to.names), finite(right.source, to.names)
    if op == "=" and (not first.guards or not second.guards):
        # None is equal to no value, so what is read without a guard needs none.
        first, second = (side if not side.whole else _unguarded(side) for side in (first, second))
    return all_of((*first.guards, *second.guards, f"{first.text} {_PYTHON[op]} {second.text}"))


def _unguarded(source: Source) -> Source:
    return Source((), source.whole)


def _slow(leaf: Leaf, args: tuple[str, ...], wanted: bool, to: Emitter) -> str:
    return f"{to.names.function(leaf)}({', '.join(args)}) is {wanted}"


def _leaf(op: str, kind: str, left: Operand, right: Operand) -> Leaf:
    return comparison(op, kind, view_of(left, kind), view_of(right, kind))


def _raw_raw(op: str, kind: str, left: Operand, right: Operand, wanted: bool, to: Emitter) -> str:
    first, second = none_or(left.source, to.names), none_or(right.source, to.names)
    slow = _slow(_leaf(op, kind, left, right), (first, second), wanted, to)
    if kind != "json" or not (first.isidentifier() and second.isidentifier()):
        return f"({slow})"
    sign = _SAFE[op][not wanted] if op in _SAFE else _PYTHON[op if wanted else _CONTRARY[op]]
    test = f"{first}.__class__ is str and {second}.__class__ is str"
    return f"({first} {sign} {second} if {test} else {slow})"


def _raw_scalar(
    op: str, kind: str, raw: Operand, scalar: Operand, wanted: bool, swapped: bool, to: Emitter
) -> str:
    """A raw value against a scalar. swapped: the scalar is the left side, as the leaf is called."""
    if raw.type in ("strings", "numbers") and op == "=" and not scalar.source.guards:
        item = finite(scalar.source, to.names)
        if not item.guards:
            word = "in" if wanted else "not in"
            return all_of((*raw.source.guards, f"{item.text} {word} {raw.source.text}"))
    other = finite(scalar.source, to.names)
    first = none_or(raw.source, to.names)
    name = first if first.isidentifier() else to.names.temp()
    bind = first if first.isidentifier() else f"({name} := {first})"
    lead: tuple[str, ...] = ()
    known = ""
    if not other.atom or other.guards:
        text = none_or(other, to.names)
        if not text.isidentifier():
            held = to.names.temp()
            lead = (f"(({held} := {text}) is {held})",)
            text = held
        known = f"{text} is not None" if other.guards else ""
        other = Source((), text, True)
    left, right = (scalar, raw) if swapped else (raw, scalar)
    leaf = _leaf(_FLIPPED.get(op, op) if swapped else op, kind, left, right)
    args = (other.text, name) if swapped else (name, other.text)
    slow = _slow(leaf, args, wanted, to)
    test = class_test(kind, bind, name) if raw.type == "untyped" else ""
    if not test:
        return (
            all_of((*lead, f"{bind} is not None", slow))
            if op not in _SAFE
            else all_of((*lead, _bound(bind, name), slow))
        )
    if op in _SAFE:
        return all_of((*lead, f"({name} {_SAFE[op][not wanted]} {other.text} if {test} else {slow})"))
    sign = _PYTHON[op if wanted else _CONTRARY[op]]
    rest = f"{name} is not None and {slow}"
    fast = f"{name} {sign} {other.text}"
    if known:
        fast = f"{known} and {fast}"
    return all_of((*lead, f"({fast} if {test} else {rest})"))


def _bound(bind: str, name: str) -> str:
    return "True" if bind == name else f"({bind} is {name})"


def _compare(node: Compare, wanted: bool, to: Emitter) -> str:
    return to.compare(node.op, node.kind, operand_of(node.left, to), operand_of(node.right, to), wanted)


def _in(node: In, wanted: bool, to: Emitter) -> str:
    # A constant that is NULL (`1 / 0`) is in no set: it is compared like a name.
    options = list(zip(node.options, node.kinds, strict=True))
    others = [(option, kind) for option, kind in options if not isinstance(option, Const) or option.nullable]
    constants = [option for option, _ in options if isinstance(option, Const) and not option.nullable]
    subject = operand_of(node.subject, to)
    if not others:
        return _in_constants(node, constants, subject, wanted, to)
    source = finite(subject.source, to.names)
    raw = none_or(source, to.names)
    name = raw if raw.isidentifier() else to.names.temp()
    guard = f"{name} is not None" if raw == name else f"({name} := {raw}) is not None"
    # Against NULL every `=` is unknown, so that past the guard the subject is known.
    again = Operand(Source((), name, True), subject.type)
    tests = [to.compare("=", kind, again, operand_of(option, to), wanted) for option, kind in others]
    if constants:
        tests.insert(0, _in_constants(node, constants, again, wanted, to))
    return all_of((guard, any_of(tests) if wanted else all_of(tests)))


def _in_constants(node: In, constants: list[Const], subject: Operand, wanted: bool, to: Emitter) -> str:
    kind = constants[0].type
    values = frozenset(option.value for option in constants)
    word = "in" if wanted else "not in"
    if not subject.raw:
        source = finite(subject.source, to.names)
        if wanted and source.whole:  # None is in no set of constants
            source = _unguarded(source)
        return all_of((*source.guards, f"{source.text} {word} {to.names.constant(values)}"))
    text = none_or(subject.source, to.names)
    name = text if text.isidentifier() else to.names.temp()
    bind = text if text.isidentifier() else f"({name} := {text})"
    slow = _slow(_membership(tuple(constants), view_of(node.subject, kind)), (name,), wanted, to)
    test = class_test(kind, bind, name) if subject.type == "untyped" else ""
    if not test:
        return all_of((f"{bind} is not None", slow))
    return f"({name} {word} {to.names.constant(values)} if {test} else {name} is not None and {slow})"


@lru_cache(maxsize=1_024)
def _membership(constants: tuple[Const, ...], view: Callable[[object], Any]) -> Leaf:
    leaf = comparison("=", constants[0].type, view, same)

    def test(subject: object) -> bool | None:
        return any3(leaf(subject, option.value) for option in constants)

    return test


def _between(node: Between, wanted: bool, to: Emitter) -> str:
    subject, low, high = (operand_of(part, to) for part in (node.subject, node.low, node.high))
    bounds = [finite(side.source, to.names) for side in (low, high)]
    sides = (low, high)
    plain = not (low.raw or high.raw or any(side.guards for side in bounds))
    if plain and not subject.raw:
        source = finite(subject.source, to.names)
        test = f"{bounds[0].text} <= {source.text} <= {bounds[1].text}"
        return all_of((*source.guards, test if wanted else f"not {test}"))
    texts = [none_or(side.source, to.names) for side in (subject, *sides)]
    raw = texts[0]
    name = raw if raw.isidentifier() else to.names.temp()
    bind = raw if raw.isidentifier() else f"({name} := {raw})"
    slow = _slow(leaf_of(node), (name, *texts[1:]), wanted, to)
    test = class_test(node.kind, bind, name) if subject.type == "untyped" else ""
    if not test or not plain or not all(side.atom for side in bounds):
        return all_of((f"{bind} is not None", slow))
    inside = f"{texts[1]} <= {name} <= {texts[2]}"
    fast = inside if wanted else f"not {inside}"
    return f"({fast} if {test} else {name} is not None and {slow})"


def _text_test(node: Like | Regexp, wanted: bool, to: Emitter) -> str:
    shape = _like_source if isinstance(node, Like) else _regexp_source
    subject = operand_of(node.subject, to)
    if not subject.raw:
        source = bound(subject.source, to.names)
        return all_of((*source.guards, _signed(shape(node, source.text, to), wanted)))
    raw = none_or(subject.source, to.names)
    name = raw if raw.isidentifier() else to.names.temp()
    bind = raw if raw.isidentifier() else f"({name} := {raw})"
    slow = _slow(leaf_of(node), (name,), wanted, to)
    if subject.type != "untyped":
        return all_of((f"{bind} is not None", slow))
    fast = _signed(shape(node, name, to), wanted)
    return f"({fast} if {class_test('string', bind, name)} else {name} is not None and {slow})"


def _signed(test: str, wanted: bool) -> str:
    return test if wanted else f"not {test}"


def _like_source(node: Any, text: str, to: Emitter) -> str:
    """Return the test of a text by the simplest operation that does."""
    shape = like.shape(node.pattern, node.escape)
    constant = to.names.constant
    if shape is not None:
        if shape.exact:
            return f"({text} == {constant(shape.head)})"
        if not shape.middles and not shape.tail:
            return f"{text}.startswith({constant(shape.head)})"
        if not shape.middles and not shape.head:
            return f"{text}.endswith({constant(shape.tail)})"
        if len(shape.middles) == 1 and not shape.head and not shape.tail:
            return f"({constant(shape.middles[0])} in {text})"
    return f"{to.names.function(like.matcher(node.pattern, node.escape))}({text})"


def _regexp_source(node: Any, text: str, to: Emitter) -> str:
    shape = regexp.simple(node.pattern)
    constant = to.names.constant
    if shape is not None and len(shape.literals) == 1:
        literal = constant(shape.literals[0])
        if shape.start and shape.end:
            return f"({text} == {literal})"
        if shape.start or shape.end:
            return f"{text}.{'startswith' if shape.start else 'endswith'}({literal})"
        return f"({literal} in {text})"
    if shape is not None and shape.start and len(shape.literals) == 2:
        return _gap_source(shape, text, to)
    return f"{to.names.function(regexp.matcher(node.pattern))}({text})"


def _gap_source(shape: regexp.Simple, text: str, to: Emitter) -> str:
    """Return the test for `^head.*tail`, or `^head.*tail$`, as the matcher makes it.

    The first place of the tail is the best one, as no newline may stand between. The tail is looked
    for first, because it tells more texts apart than what all of them begin with; and `in` first,
    because it is an operator, where `find` is a call.
    """
    head, tail = shape.literals
    first, last = to.names.constant(head), to.names.constant(tail)
    if shape.end:
        length = f"{to.names.function(len)}({text})"
        newline = f"{text}.find('\\n', {len(head)}, {length} - {len(tail)})"
        lead = (
            f"{text}.endswith({last}) and {text}.startswith({first}) and {length} >= {len(head) + len(tail)}"
        )
    else:
        place = to.names.temp()
        newline = f"{text}.find('\\n', {len(head)}, {place})"
        found = f"({place} := {text}.find({last}, {len(head)})) >= 0"
        lead = f"{last} in {text} and {text}.startswith({first}) and {found}"
    return f"({lead} and ('\\n' not in {text} or {newline} < 0))"


def _starts_with(node: StartsWith, wanted: bool, to: Emitter) -> str:
    subject, prefix = operand_of(node.subject, to), operand_of(node.prefix, to)
    if not subject.raw and not prefix.raw:
        guards = (*subject.source.guards, *prefix.source.guards)
        test = f"{subject.source.text}.startswith({prefix.source.text})"
        return all_of((*guards, _signed(test, wanted)))
    texts = [none_or(side.source, to.names) for side in (subject, prefix)]
    if subject.type != "untyped" or not (prefix.source.atom and not prefix.source.guards):
        return f"({_slow(leaf_of(node), tuple(texts), wanted, to)})"
    name = texts[0] if texts[0].isidentifier() else to.names.temp()
    bind = name if name == texts[0] else f"({name} := {texts[0]})"
    fast = _signed(f"{name}.startswith({texts[1]})", wanted)
    slow = _slow(leaf_of(node), (name, texts[1]), wanted, to)
    return f"({fast} if {class_test('string', bind, name)} else {name} is not None and {slow})"


def _contains(node: Contains, wanted: bool, to: Emitter) -> str:
    items, item = operand_of(node.items, to), operand_of(node.item, to)
    if node.items.type in ("strings", "numbers") and not item.raw:
        source = finite(item.source, to.names)
        guards = (*source.guards, *items.source.guards)
        return all_of((*guards, f"{source.text} {'in' if wanted else 'not in'} {items.source.text}"))
    args = tuple(none_or(side.source, to.names) for side in (items, item))
    return f"({_slow(leaf_of(node), args, wanted, to)})"


_TESTS: Final[dict[type, Callable[[Any, bool, Emitter], str]]] = {
    Compare: _compare,
    In: _in,
    Between: _between,
    Like: _text_test,
    Regexp: _text_test,
    StartsWith: _starts_with,
    Contains: _contains,
}
