"""The floors of the house: a module imports only from floors below its own.

Every import statement in the package is read, also those inside functions. A module that is
on no floor fails here until someone decides where it belongs.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import reactor

PACKAGE = Path(reactor.__file__).parent

FLOORS = (
    ("errors", "units", "source", "values"),
    ("event", "identity", "ring", "criteria"),
    ("spec", "attributes", "payload"),
    ("plan",),
    ("state", "snapshot", "explain"),
    ("engine",),
    ("frames", "testing"),
    ("replay",),
    ("report",),
    ("",),  # the front, reactor/__init__.py
    ("cli", "gateway", "runners"),
)
# Steps on a floor: values read text as times with the units beside them, and what stands on
# the floor of the declared model is about that model; explanations are dry runs of a state; a
# command starts the gateway or a runner.
STEPS = {
    ("values", "units"),
    ("attributes", "spec"),
    ("payload", "spec"),
    ("explain", "state"),
    ("cli", "gateway"),
    ("cli", "runners"),
}
FLOOR_OF = {module: number for number, floor in enumerate(FLOORS) for module in floor}

# Where a dependency may be imported; what is not listed may be imported anywhere.
HOMES = {
    "numpy": {"frames", "replay", "runners"},
    "polars": {"frames", "replay", "report", "cli", "runners"},
    "pyspark": {"runners"},
    "py4j": {"runners"},
    "ray": {"runners"},
    "rich": {"cli"},
    "jinja2": {"report"},
    "markupsafe": {"report"},
    "vl_convert": {"report"},
    "sqlglot": {"criteria"},
    "ruamel": {"spec", "testing", "cli"},
    "starlette": {"gateway"},
    "uvicorn": {"gateway"},
    "httptools": {"gateway"},
    "prometheus_client": {"gateway"},
    "trustme": {"gateway"},
}
NEVER = {"duckdb", "pandas", "pyarrow", "scipy", "networkx", "pytest", "hypothesis"}


def files() -> Iterator[tuple[str, Path]]:
    """Yield (dotted name without the leading `reactor.`, path); the package itself is ""."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


FILES = dict(files())


def imports(name: str, *, typing: bool = True) -> Iterator[tuple[str, int]]:
    """Yield (dotted name of what is imported, line) for every import statement of the module.

    typing: also those below `if TYPE_CHECKING:`, which never run.
    """
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    blocks = [] if typing else [node for node in ast.walk(tree) if for_types(node)]
    skipped = {id(inner) for block in blocks for inner in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: relative import; write the whole name"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def for_types(node: ast.AST) -> bool:
    """Tell whether a statement is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def own(target: str) -> str | None:
    """Return the module of this package that `target` names or lies in, "" for the front; else None."""
    parts = target.split(".")
    if parts[0] != "reactor":
        return None
    inside = parts[1:]
    while inside and ".".join(inside) not in FILES:
        inside.pop()
    return ".".join(inside)


def test_every_module_is_on_a_floor() -> None:
    """A new module must be placed before it is used."""
    unplaced = {name.split(".")[0] for name in FILES} - set(FLOOR_OF)
    assert unplaced == set()


@pytest.mark.parametrize("name", FILES)
def test_imports_go_down(name: str) -> None:
    """A module imports from lower floors, or from its own package."""
    module = name.split(".")[0]
    for target, line in imports(name):
        inner = own(target)
        if inner is None:
            continue
        other = inner.split(".")[0]
        if other == module or (module, other) in STEPS:
            continue
        assert FLOOR_OF[other] < FLOOR_OF[module], (
            f"{name}:{line}: {module or 'the front'} imports {other or 'the front'}, which is not below it"
        )


@pytest.mark.parametrize("package", sorted({name.split(".")[0] for name in FILES if "." in name}))
def test_no_cycles_inside_a_package(package: str) -> None:
    """The files of a package can be read in an order in which each uses only earlier ones."""
    members = [name for name in FILES if name.split(".")[0] == package]
    graph = {
        name: {inner for target, _ in imports(name) if (inner := own(target)) in members and inner != name}
        for name in members
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")
    assert sorted(order) == sorted(members)


@pytest.mark.parametrize("name", FILES)
def test_dependencies_stay_in_their_homes(name: str) -> None:
    """numpy is for columns, sqlglot for the parser, and what only tests use is never imported."""
    module = name.split(".")[0]
    for target, line in imports(name, typing=False):
        root = target.split(".")[0]
        assert root not in NEVER, f"{name}:{line}: {root} is a dependency of the tests only"
        homes = HOMES.get(root, {module})
        assert module in homes, f"{name}:{line}: {root} may be imported in {sorted(homes)}"


def test_import_reactor_is_light() -> None:
    """`import reactor` loads neither numpy nor polars nor anything else a live engine can do without."""
    heavy = ("numpy", "polars", "jinja2", "vl_convert", "rich", "pyarrow", "pandas", "duckdb", "scipy")
    code = f"import sys, reactor; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
