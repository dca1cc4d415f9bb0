"""Two files of what must not change unnoticed: the tree of every construct, every error's text.

Each case of a file is a line `scope want: expression` (with \\n and \\t for a newline and a tab) and,
indented under it, what comes of it. To accept a change on purpose, run this module:
`python tests/criteria/test_golden.py`, and read the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from scopes import SCOPES

from reactor.criteria import CriteriaError, Expression, compile_expression

GOLDEN = Path(__file__).parent / "golden"
TREES = GOLDEN / "trees.txt"
ERRORS = GOLDEN / "errors.txt"


def cases(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the cases of a file: the line, and the lines under it."""
    case, under = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            under.append(line[4:])
        elif line:
            if case:
                yield case, under
            case, under = line, []
    yield case, under


def compiled(case: str) -> Expression:
    """Compile a case's expression."""
    lead, _, text = case.partition(": ")
    scope, want = lead.split()
    plain = text.replace("\\n", "\n").replace("\\t", "\t")
    return compile_expression(plain, SCOPES[scope], want)  # type: ignore[arg-type]


def drawn(node: object) -> str:
    """Write a tree: the type of a node, its plain fields, and its parts in parentheses."""
    if isinstance(node, tuple):
        return f"[{', '.join(drawn(part) for part in node)}]"
    if not isinstance(node, msgspec.Struct):
        return repr(node)
    fields = [
        drawn(getattr(node, name)) for name in node.__struct_fields__ if name not in ("type", "nullable")
    ]
    kind = getattr(node, "type", "")
    return (
        f"{type(node).__name__}:{kind}{'?' if getattr(node, 'nullable', False) else ''}({', '.join(fields)})"
    )


def tree_of(case: str) -> list[str]:
    """Return what stands under a case of the trees."""
    expression = compiled(case)
    return [drawn(expression.root), *(f"warning: {warning}" for warning in expression.warnings)]


def error_of(case: str) -> list[str]:
    """Return what stands under a case of the errors."""
    try:
        expression = compiled(case)
    except CriteriaError as error:
        hint = [f"({error.hint})"] if error.hint else []
        return [*error.rendered().split("\n"), *hint]
    return [f"no error: {expression.type}"]


def named(value: object) -> str:
    """Call a test by its case."""
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("case", "tree"), list(cases(TREES)), ids=named)
def test_trees(case: str, tree: list[str]) -> None:
    """Would catch a new sqlglot that parses a construct otherwise, and a dropped argument."""
    assert tree == tree_of(case)


@pytest.mark.parametrize(("case", "error"), list(cases(ERRORS)), ids=named)
def test_errors(case: str, error: list[str]) -> None:
    """Exact text, caret and hint of every error."""
    assert error == error_of(case)


def accept(path: Path, outcome: Callable[[str], list[str]]) -> None:
    """Write a golden file anew from its own cases."""
    blocks = ["\n".join([case, *(f"    {line}" for line in outcome(case))]) for case, _ in cases(path)]
    path.write_text("\n".join(blocks) + "\n", encoding="utf-8")


if __name__ == "__main__":
    accept(TREES, tree_of)
    accept(ERRORS, error_of)
