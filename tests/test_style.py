"""The written style, as far as a machine can hold it.

Limits of size, docstrings, no clock and no randomness in the core, and no word that belongs to a
workplace instead of to the project.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES = 600
FUNCTION_LINES = 60
# The yardstick of the benchmarks is one loop without calls: that is what makes it a yardstick.
LONG = {"benchmarks/handwritten.py"}

FOLDERS = ("reactor", "tests", "benchmarks", "docs", ".ci")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".json", ".txt", ""}
CODE = ("reactor", "tests", "benchmarks")
PYTHON = sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py"))
CORE = [path for path in PYTHON if path.is_relative_to(ROOT / "reactor")]
WRITTEN = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts
) + [ROOT / name for name in ("README.md", "CHANGELOG.md", "pyproject.toml")]

# Reads of the outside world, each in the one place that may make it.
OUTSIDE = {
    r"\btime\.(time|time_ns|monotonic|perf_counter)\b": {"cli", "runners"},
    r"\bdatetime\.(now|utcnow|today)\b|\bdate\.today\b": {"cli"},
    # A replay hands the environment on to the processes that it starts.
    r"\bos\.(environ|getenv)\b": {"spec", "cli", "gateway", "replay"},
    r"\bimport random\b|\bfrom random\b|\buuid[14]\(|\bsecrets\.|\bos\.urandom\b": {"testing", "cli"},
    r"(?<![\w.])print\(": {"cli"},
    r"\bimport logging\b": set(),
}
# Spelled in pieces, so that this file does not hold what it looks for.
WORKPLACE = re.compile(
    "|".join(
        [
            "/" + r"work\b",
            "/" + r"tmp/",
            r"\bissue" + r" #?\d",
            r"\bissues" + " (show|list|close)",
            r"\b(this|the|my|our) " + "session",
            r"\bsub" + "agent",
            r"\bAI " + "assistant",
            r"\b(TO" + "DO|FIX" + "ME|X" + "XX)\\b",
        ]
    )
)
PRAISE = re.compile(
    r"\b(blazing|powerful|seamless(ly)?|robust|cutting-edge|state-of-the-art|amazing|awesome|elegant(ly)?"
    r"|lightning|effortless(ly)?|world-class|next-generation|revolutionary|superb|beautiful(ly)?)\b",
    re.IGNORECASE,
)


def name_of(path: Path) -> str:
    """Name a file as a person would, relative to the project."""
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of a module, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function's body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_sizes(path: Path) -> None:
    """A file has at most 600 lines, the body of a function at most 60."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= FILE_LINES
    sizes = {node.name: body_lines(node) for node in functions(ast.parse(text))}
    long = {name: lines for name, lines in sizes.items() if lines > FUNCTION_LINES}
    assert long == {} or name_of(path) in LONG


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_public_names_have_docstrings(path: Path) -> None:
    """Modules, public classes and public functions say what they are."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = [] if ast.get_docstring(tree) is not None or not tree.body else ["the module"]
    for node in tree.body:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if named and node.name[0] != "_" and ast.get_docstring(node) is None:
            bare.append(f"{node.name}, line {node.lineno}")
    assert bare == []


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_core_reads_no_clock_no_environment_no_randomness(path: Path) -> None:
    """Times, secrets and seeds are arguments; only the outermost floor looks at the machine."""
    module = path.relative_to(ROOT / "reactor").with_suffix("").parts[0]
    code = without_text(path.read_text(encoding="utf-8"))
    for pattern, allowed in OUTSIDE.items():
        if module not in allowed:
            found = re.search(pattern, code)
            assert found is None, f"{found and found[0]} is not for {module}"


def without_text(source: str) -> str:
    """Return the source without docstrings and comments: they may speak of what code may not do."""
    return ast.unparse(StripDocstrings().visit(ast.parse(source)))


class StripDocstrings(ast.NodeTransformer):
    """Empties every expression statement that is only a text."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """Replace a bare text by `...`."""
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return ast.Expr(ast.Constant(...))
        return node


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_words(path: Path) -> None:
    """No file speaks of the workplace it was made in, and no page praises what it describes."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = WORKPLACE.search(line)
        assert found is None, f"line {number}: {found and found[0]}"
        if path.suffix == ".md":
            praise = PRAISE.search(line)
            assert praise is None, f"line {number}: {praise and praise[0]}"
