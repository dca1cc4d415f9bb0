"""How far a leaf is from what is wanted of it: what it reads, what that has to be, how much is missing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from reactor.criteria import Ref
from reactor.criteria.leaves import LIST_CLASSES, view_of
from reactor.criteria.tree import (
    Between,
    Compare,
    Const,
    Contains,
    In,
    IsNull,
    Like,
    Node,
    Regexp,
    StartsWith,
    Truth,
)
from reactor.criteria.walk import Read, value_of
from reactor.criteria.write import literal, sql, text_literal
from reactor.explain.shapes import Distance
from reactor.explain.tree import Leaf, Truth3, refs_found, refs_in
from reactor.explain.ways import Will
from reactor.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, format_time
from reactor.values import canonical, number_text

_CONTRARY: Final = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_TURNED: Final = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEEDS: Final = {
    "=": "needs {}",
    "<>": "needs anything but {}",
    "<": "needs less than {}",
    "<=": "needs at most {}",
    ">": "needs more than {}",
    ">=": "needs at least {}",
}
_TIME_NEEDS: Final = {
    "=": "needs to be {}",
    "<>": "needs to be another time than {}",
    "<": "needs to be before {}",
    "<=": "needs to be at most {}",
    ">": "needs to be after {}",
    ">=": "needs to be at least {}",
}
MOST_SHOWN: Final = 60  # characters of a text, in words


def distance_of(leaf: Leaf, will: Will, read: Read) -> Distance:
    """Return how far a leaf is from the truths that will do, by what it reads now."""
    node = leaf.node
    if True in will or will == frozenset({None}):
        wants = True if True in will else None
    else:
        wants = False
    match node:
        case Compare() if node.op in _CONTRARY and wants is not None:
            return _compared(node, wants, read, leaf.bare)
        case Between() if wants is not None:
            return _between(node, wants, read, leaf.bare)
        case In() if wants is not None:
            bound = [_out(value_of(option, read), option) for option in node.options]
            shown = _one_of([_literal(value_of(option, read), option) for option in node.options])
            words = f"needs {shown}" if wants else f"needs anything but {shown}"
            return _plain(node.subject, read, leaf.bare, words, "in" if wants else "not in", bound)
        case Like() | Regexp() if wants is not None:
            verb, relation = ("look like", "like") if isinstance(node, Like) else ("match", "matches")
            words = f"needs to {verb} {text_literal(node.pattern)}"
            return _text(node.subject, read, leaf.bare, words, relation, node.pattern, wants)
        case StartsWith() if wants is not None:
            prefix = value_of(node.prefix, read)
            words = f"needs to start with {_literal(prefix, node.prefix)}"
            return _text(
                node.subject, read, leaf.bare, words, "starts with", _out(prefix, node.prefix), wants
            )
        case Contains() if wants is not None:
            return _contains(node, wants, read, leaf.bare)
        case IsNull():
            words = "needs to be unset" if wants else "needs a value"
            return _plain(node.arg, read, leaf.bare, words, "unset" if wants else "set", None)
        case Truth() if wants is not None:
            return _truth(node, wants, read, leaf.bare)
    return _other(leaf, will, read)


def _compared(node: Compare, wants: bool, read: Read, bare: bool) -> Distance:
    op = node.op if wants else _CONTRARY[node.op]
    subject, other = node.left, node.right
    if not _is_subject(subject) and _is_subject(other):
        subject, other, op = other, subject, _TURNED[op]
    value, bound = value_of(subject, read), value_of(other, read)
    text, written = sql(subject, bare=bare), _bound(other, bound, bare, node.kind)
    of_list = value.__class__ in LIST_CLASSES or bound.__class__ in LIST_CLASSES
    if bound is None:
        words = f"{_is(text, value, subject)}, and {sql(other, bare=bare)} is unset"
        return Distance(words, text, _out(value, subject), op, None)
    if of_list:
        one = node.op if wants else f"nothing that is {node.op}"
        words = f"{_is(text, value, subject)}, needs {'an element ' if wants else ''}{one} {written}"
        return Distance(words, text, _out(value, subject), node.op if wants else op, _out(bound, other))
    needs = (_TIME_NEEDS if node.kind == "timestamp" else _NEEDS)[op].format(written)
    if op == "=" and node.kind == "interval":
        needs = f"needs {written}"
    by, missing = _missing(
        view_of(subject, node.kind)(value), view_of(other, node.kind)(bound), op, node.kind
    )
    seen, kind = _seen(value, subject, node.kind)
    held, bound_kind = _seen(bound, other, node.kind)
    words = f"{_is(text, seen, subject, kind)}, {needs}{missing}"
    return Distance(words, text, value_json(seen, kind), op, value_json(held, bound_kind), by)


def _seen(value: Any, node: Node, kind: str) -> tuple[Any, str]:
    """Return a side of a comparison as it is compared, and its kind; as it is where it can't be."""
    if node.type not in ("untyped", "list"):
        return value, node.type
    seen = view_of(node, kind)(value)
    return (value, "untyped") if seen is None else (seen, kind)


def _is_subject(node: Node) -> bool:
    """Tell whether a side is what the leaf is about, rather than what it is held against."""
    return any(ref.kind != "now" for ref in refs_in(node))


def _missing(value: Any, bound: Any, op: str, kind: str) -> tuple[Any, str]:
    """Return by how much a value misses a bound, and that in words; (None, "") where nothing tells."""
    if value is None or bound is None or kind not in ("number", "timestamp", "interval") or op == "<>":
        return None, ""
    by = canonical(exact_difference(bound, value)) if kind == "number" else int(bound) - int(value)
    if by is None:
        return None, ""
    is_strict = op in ("<", ">")
    size = number_text(abs(by)) if kind == "number" else format_span(abs(int(by)))
    more, less = ("later", "earlier") if kind == "timestamp" else ("more", "less")
    word = more if (by > 0 or (by == 0 and op == ">")) else less
    return abs(by), f" ({'over ' if is_strict else ''}{size} {word})"


def exact_difference(one: float, other: float) -> float:
    """Return `one - other` of two numbers as they are written.

    >>> exact_difference(100, 99.9)
    0.1
    """
    return float(Decimal(str(one)) - Decimal(str(other)))


def _between(node: Between, wants: bool, read: Read, bare: bool) -> Distance:
    value, low, high = (value_of(each, read) for each in (node.subject, node.low, node.high))
    lower, upper = _bound(node.low, low, bare), _bound(node.high, high, bare)
    words = f"needs {lower} to {upper}" if wants else f"needs to be outside of {lower} to {upper}"
    relation = "between" if wants else "not between"
    bound = [_out(low, node.low), _out(high, node.high)]
    found = _plain(node.subject, read, bare, words, relation, bound)
    if not wants or value is None or low is None or high is None or value.__class__ in LIST_CLASSES:
        return found
    seen = view_of(node.subject, node.kind)(value)
    bottom, top = view_of(node.low, node.kind)(low), view_of(node.high, node.kind)(high)
    if seen is None or bottom is None or top is None:
        return found
    op, edge = (">=", bottom) if seen < bottom else ("<=", top)
    by, missing = _missing(seen, edge, op, node.kind)
    return Distance(found.text + missing, found.subject, found.value, relation, bound, by)


def _text(
    subject: Node, read: Read, bare: bool, words: str, relation: str, bound: Any, wants: bool
) -> Distance:
    if not wants:
        words, relation = words.replace("needs to", "needs not to"), f"not {relation}"
    return _plain(subject, read, bare, words, relation, bound)


def _contains(node: Contains, wants: bool, read: Read, bare: bool) -> Distance:
    item = value_of(node.item, read)
    shown = _bound(node.item, item, bare)
    words = f"needs {shown} among its values" if wants else f"needs to be without {shown}"
    relation = "contains" if wants else "not contains"
    return _plain(node.items, read, bare, words, relation, _out(item, node.item))


def _truth(node: Truth, wants: bool, read: Read, bare: bool) -> Distance:
    operand = node.operand
    if isinstance(operand, Ref) and operand.kind == "segment":
        name, value = sql(operand, bare=bare), value_of(operand, read)
        state = "is in" if value else "is not in"
        need = "needs to be in it" if wants else "needs not to be"
        return Distance(f"the profile {state} {name}, {need}", name, value, "=", wants)
    return _plain(operand, read, bare, f"needs {str(wants).lower()}", "=", wants)


def _plain(subject: Node, read: Read, bare: bool, words: str, relation: str, bound: Any) -> Distance:
    value, text = value_of(subject, read), sql(subject, bare=bare)
    return Distance(f"{_is(text, value, subject)}, {words}", text, _out(value, subject), relation, bound)


def _other(leaf: Leaf, will: Will, read: Read) -> Distance:
    now = truth_word(leaf.run(read))
    names = " or ".join(truth_word(each) for each in (True, False, None) if each in will)
    return Distance(f"{leaf.text} is {now}, needs to be {names}", leaf.text, now, "=", names)


def truth_word(truth: Truth3) -> Any:
    """Return a truth as text."""
    return "unknown" if truth is None else str(truth).lower()


def _is(text: str, value: Any, node: Node, kind: str = "") -> str:
    if value is None:
        return f"{text} is unset"
    shown = shown_value(value, kind or node.type)
    return shown if not refs_found(node) else f"{text} is {shown}"


def _bound(node: Node, value: Any, bare: bool, kind: str = "") -> str:
    """Write what a value is held against: a constant as it is, a name with what it is now."""
    shown = shown_value(*_seen(value, node, kind)) if kind else _literal(value, node)
    if isinstance(node, Const):
        return shown
    return f"{sql(node, bare=bare)}, which is {shown}" if not _is_now(node) else shown


def _is_now(node: Node) -> bool:
    return not _is_subject(node)


def _literal(value: Any, node: Node) -> str:
    return shown_value(value, node.type)


def shown_value(value: Any, kind: str = "untyped") -> str:
    """Return a value in words: a text in quotes, a time in UTC, a list by its elements."""
    if value.__class__ in LIST_CLASSES:
        return f"[{_listed([shown_value(each) for each in value])}]"
    if value is None:
        return "unset"
    if kind == "timestamp" and isinstance(value, int):
        return format_time(value)
    if kind == "interval":
        return format_span(value)
    if isinstance(value, str):
        return text_literal(value if len(value) <= MOST_SHOWN else f"{value[: MOST_SHOWN - 1]}…")
    return str(value).lower() if isinstance(value, bool) else literal(value, kind)


def _listed(texts: list[str]) -> str:
    if len(texts) > 5:
        texts = [*texts[:4], f"… {len(texts) - 4} more"]
    return ", ".join(texts)


def _one_of(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"one of {_listed(texts)}"


def format_span(span_ms: int) -> str:
    """Write a span of time in its two largest units.

    >>> format_span(90_061_000), format_span(-1500), format_span(0)
    ('1d 1h', '-1.5s', '0s')
    """
    sign, rest = ("-" if span_ms < 0 else ""), abs(span_ms)
    parts = []
    for unit, unit_ms in (("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS)):
        if rest >= unit_ms:
            parts.append(f"{rest // unit_ms}{unit}")
            rest %= unit_ms
    if rest or not parts:
        parts.append(f"{number_text(rest / SECOND_MS)}s")
    return sign + " ".join(parts[:2])


def _out(value: Any, node: Node) -> Any:
    """Return a value as JSON has it."""
    return value_json(value, node.type)


def value_json(value: Any, kind: str) -> Any:
    """Return a value as JSON has it: a time as text, a list as a list, an interval in ms."""
    if value.__class__ in LIST_CLASSES:
        return [value_json(each, "untyped") for each in value]
    if kind == "timestamp" and isinstance(value, int) and not isinstance(value, bool):
        return format_time(value)
    if isinstance(value, float):
        return canonical(value)
    return value
