"""Explanations in words, for a terminal of 80 columns without colour.

[x] true    [ ] false    [?] unknown    [-] redacted
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from reactor.explain.distance import shown_value
from reactor.explain.shapes import (
    IdentityWhy,
    KeyEventWhy,
    Need,
    Node,
    Operand,
    PartChange,
    SectionWhy,
    Turn,
    Way,
)

WIDTH: Final = 80
_STEP: Final = "  "
_MARKS: Final = {"true": "[x]", "false": "[ ]", "unknown": "[?]", None: "[-]"}
_VERDICTS: Final = {
    "matched": "offered",
    "redacted": "offered, redacted",
    "other_event": "another key event",
    "where_false": "`where` is false",
    "where_unknown": "`where` is unknown",
    "where_not_true": "`where` is not true",
    "when_false": "`when` is false",
    "when_unknown": "`when` is unknown",
    "when_not_true": "`when` is not true",
    "nobody": "nobody is known by these keys",
}
_OUTCOMES: Final = {
    "nobody": "nobody: no usable identifier",
    "known": "a known profile",
    "founded": "a new profile",
    "attached": "a known profile, with new identifiers",
    "merged": "profiles that become one",
}
_LEAST_COLUMN: Final = 24  # from where on what a leaf reads is lined up
_MOST_COLUMN: Final = 46


def head(audience: str, table: str | None, now: str | None) -> list[str]:
    """Return what is explained, to whom, and as of when."""
    what = "a read" if table is None else f"an event of {table}"
    return [f"{what}{'' if now is None else f', read at {now}'}, for {audience} readers"]


def identity(why: IdentityWhy) -> list[str]:
    """Return who it is about."""
    if why.redacted:
        return ["", "identity: redacted"]
    lines = ["", f"identity: {_OUTCOMES[why.outcome or 'nobody']}"]
    rows = [("rid", why.rid)] if why.rid else []
    rows += [(each.state, f"{each.key} {_quoted(each.value)}") for each in why.counted or ()]
    rows += [("refused", f"{each.key}: {each.reason}") for each in why.refused or ()]
    if len(why.profiles or ()) > 1:
        rows += [("survives" if each.survives else "absorbed", each.rid) for each in why.profiles or ()]
    rows += [("idle", rid) for rid in why.idle or ()]
    rows += [("evicted", f"{each.key or 'rid'} {_quoted(each.value)}") for each in why.evicted or ()]
    return [*lines, *_table(rows)]


def changes(found: Sequence[PartChange]) -> list[str]:
    """Return what the event would change."""
    shown = [each for each in found if not each.redacted]
    hidden = len(found) - len(shown)
    if not found:
        return []
    rows = [(each.name, f"{_short(each.before)} -> {_short(each.after)}") for each in shown]
    note = [f"{_STEP}({hidden} sensitive, redacted)"] if hidden else []
    return ["", "changes:", *_table(rows), *note]


def key_events(found: Sequence[KeyEventWhy]) -> list[str]:
    """Return which key events the event is, and why not."""
    if not found:
        return []
    lines = ["", "key events:"]
    for each in found:
        lines.append(f"{_STEP}{_MARKS[each.truth]} {each.name}")
        if each.where is not None and each.truth != "true":
            lines += _tree(each.where, 3)
    return lines


def section(why: SectionWhy) -> list[str]:
    """Return why one section is offered or not."""
    mark = "[x]" if why.matched else "[ ]"
    lines = _wrapped(f"{mark} {why.name}: {_VERDICTS[why.verdict]}{_until(why)}", "    ")
    if why.verdict == "other_event":
        return [*lines, *_wrapped(f"{_STEP * 2}needs {' or '.join(why.on or ())}", _STEP * 3)]
    for name, node in (("where", why.where), ("when", why.when)):
        if node is not None:
            lines += [f"{_STEP * 2}{name}", *_tree(node, 3)]
    if why.ways is None and not why.matched:
        lines.append(f"{_STEP * 2}what would have to change is redacted")
    for number, way in enumerate(why.ways or ()):
        lines += _way(way, is_first=number == 0)
    if why.more:
        lines.append(f"{_STEP * 2}there are further ways")
    if not why.matched:
        lines += _wrapped(f"{_STEP * 2}{_by_itself(why.turn)}", _STEP * 3)
    return lines


def _until(why: SectionWhy) -> str:
    if not why.matched:
        return ""
    if why.turn.state == "at":
        return f" until {why.turn.at}"
    return {"never": " for good", "redacted": "", "untold": ", until when is not told"}[why.turn.state]


def _by_itself(turn: Turn) -> str:
    if turn.state == "at":
        return f"by itself: from {turn.at} on, if nothing happens"
    return {
        "never": "by itself: never",
        "redacted": "by itself: redacted",
        "untold": "by itself: not told, for it reads the written form of `now` or too much at once",
    }[turn.state]


def _way(way: Way, *, is_first: bool) -> list[str]:
    lines: list[str] = []
    note = "" if way.proven else " (whether all can be had together was not found out)"
    for number, need in enumerate(way.needs):
        word = ("to match:" if is_first else "or:") if number == 0 else "and"
        tail = note if number == len(way.needs) - 1 and len(way.needs) > 1 else ""
        lines += _wrapped(f"{_STEP * 2}{word:<9} {_needed(need)}{tail}", " " * 16)
    return lines


def _needed(need: Need) -> str:
    return need.distance.text


def _tree(node: Node, depth: int) -> list[str]:
    """Return the lines of a tree: a mark, the condition, and what a leaf reads, lined up."""
    rows = list(_rows(node, depth))
    widths = [len(left) for left, right in rows if right]
    column = min(max([*widths, _LEAST_COLUMN]), _MOST_COLUMN) + 2
    lines: list[str] = []
    for left, right in rows:
        indent = " " * (len(left) - len(left.lstrip()) + 4)
        if not right:
            lines += _wrapped(left, indent)
        elif len(left) + 2 <= column and column + len(right) <= WIDTH:
            lines.append(f"{left:<{column}}{right}")
        else:
            lines += _wrapped(left, indent)
            lines += _wrapped(f"{indent}{_STEP}{right}", f"{indent}{_STEP}")
    return lines


def _rows(node: Node, depth: int) -> Iterator[tuple[str, str]]:
    mark = f"{_STEP * depth}{_MARKS[node.truth]} "
    if node.mark == "leaf":
        yield f"{mark}{node.text}", _operands(node.operands)
    elif node.mark not in ("and", "or") and node.nodes[0].mark == "leaf":
        yield f"{mark}{node.text}", _operands(node.nodes[0].operands)
    else:
        words = {"and": "all of", "or": "any of", "not": "not"}
        yield f"{mark}{words.get(node.mark, node.mark)}", ""
        for each in node.nodes:
            yield from _rows(each, depth + 1)


def _operands(operands: Sequence[Operand]) -> str:
    return ", ".join(
        f"{each.name} {'redacted' if each.redacted else _short(each.value)}" for each in operands
    )


def _short(value: Any) -> str:
    if isinstance(value, str) and len(value) == len("2017-03-01T00:00:00.000Z") and value[-5:-4] == ".":
        return value  # a time
    return shown_value(value)


def _quoted(value: str) -> str:
    return shown_value(value)


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Return rows of two, the second lined up."""
    column = min(max((len(left) for left, _ in rows), default=0), 28)
    lines: list[str] = []
    for left, right in rows:
        lines += _wrapped(f"{_STEP}{left:<{column}}  {right}", " " * (column + 4))
    return lines


def _wrapped(line: str, indent: str) -> list[str]:
    """Return a line broken at 80 columns; indent: before what goes on."""
    if len(line) <= WIDTH:
        return [line]
    return textwrap.wrap(
        line,
        WIDTH,
        subsequent_indent=indent,
        drop_whitespace=True,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        expand_tabs=False,
    )


def printable(line: str) -> str:
    """Return a line with what a terminal would obey, or can't show, written out."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
