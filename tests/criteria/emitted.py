"""Emitted source as functions, for tests and benchmarks: a small stand-in for the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reactor.criteria import Expression, Ref, Scope, compile_expression, emit_condition, emit_value, walk


class Globals:
    """`Names` over a mapping of parameters: `refs` is what has been read, `values` the globals."""

    def __init__(self, *, identifiers: bool) -> None:
        self.identifiers = identifiers
        self.refs: dict[Ref, str] = {}
        self.values: dict[str, Any] = {}
        self.temps = 0

    def read(self, ref: Ref) -> str:
        name = self.refs.setdefault(ref, f"r{len(self.refs)}")
        return name if self.identifiers else f"row[{name!r}]"

    def constant(self, value: object) -> str:
        return self._global("k", value)

    def function(self, function: Callable[..., Any]) -> str:
        return self._global("f", function)

    def temp(self) -> str:
        self.temps += 1
        return f"t{self.temps}"

    def _global(self, letter: str, value: object) -> str:
        name = f"{letter}{len(self.values)}"
        self.values[name] = value
        return name


Row = Mapping[Ref, object]


def compiled(
    expression: Expression, form: str, *, identifiers: bool = True
) -> tuple[Callable[[Row], Any], str]:
    """Return a function of a row (a value by name) that runs the emitted source, and the source."""
    names = Globals(identifiers=identifiers)
    source = (emit_condition if form == "condition" else emit_value)(expression, names)
    reads = "".join(f"    {name} = row[{name!r}]\n" for name in names.refs.values()) if identifiers else ""
    text = f"def run(row):\n{reads}    return {source}\n"
    space = dict(names.values)
    exec(compile(text, "<criteria>", "exec"), space)
    run = space["run"]
    letters = names.refs

    def call(row: Row) -> Any:
        return run({letter: row[ref] for ref, letter in letters.items()})

    return call, source


def by_name(row: Mapping[str, object]) -> Callable[[Ref], object]:
    """Return a reader of a row by the written name, fields of a nested object joined by dots."""

    def read(ref: Ref) -> object:
        lead = "before." if ref.before else ""
        return row.get(lead + ".".join((ref.name, *ref.path)))

    return read


def evaluate(text: str, scope: Scope, row: Mapping[str, object], want: str = "value") -> Any:
    """Return what an expression comes to by the slow walk, having seen that emitted code agrees."""
    expression = compile_expression(text, scope, want)  # type: ignore[arg-type]
    read = by_name(row)
    expected = walk(expression, read)
    values = {ref: read(ref) for ref in expression.refs}
    for identifiers in (True, False):
        if expression.type == "boolean":
            got = compiled(expression, "condition", identifiers=identifiers)[0](values)
            assert bool(got) is (expected is True), text
        got, source = compiled(expression, "value", identifiers=identifiers)
        value = got(values)
        assert (value, type(value)) == (expected, type(expected)), (text, source)
    return expected
