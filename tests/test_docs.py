"""The documentation is run: examples, commands, configs, links and doctests.

How a fenced block of a page is read, by its language and what stands behind it:

    python            run, all blocks of a page in one namespace; with `>>>` as a doctest
    python shown      only parsed: code that is shown, not run
    python spark      only parsed here: run where Spark is, by `tests/runners/test_guide.py`
    yaml FILE         written to FILE in the page's own folder (so are toml, json, jsonl, csv)
    yaml              loaded as a config if it starts with `version:`; `yaml wrong` must not load
    console           each `$ command` is run there; what is shown below it must come out,
                      where a line `...` stands for any lines; `console exit=1` expects that exit

A page's blocks run from top to bottom in a folder of its own, with `docs/` beside them.
After a change of what commands print, `UPDATE_DOCS=1 pytest tests/test_docs.py` writes what is
printed now into the pages, where no `...` stands; read the difference before you commit it.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import reactor
from reactor import Config, ConfigError

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "examples" not in path.parts)]
READ = [*PAGES, *sorted(DOCS.rglob("examples/**/*.md")), ROOT / "CHANGELOG.md"]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(reactor.__path__, "reactor.")
    if not module.name.endswith("__main__")
)

FENCE = re.compile(r"^```(\w*)[ ]*(.*?)\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ANY_LINES = re.compile(r"^[ ]*(?:\.\.\.|…)\n", re.MULTILINE)
UPDATE = bool(os.environ.get("UPDATE_DOCS"))
DATA = {"yaml", "toml", "json", "jsonl", "csv"}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Module → what it imports that the tests do not install.
OTHER_ENGINES = {
    "reactor.runners.executors": "pyspark",
    "reactor.runners.labels": "pyspark",
    "reactor.runners.lake": "pyspark",
    "reactor.runners.session": "pyspark",
    "reactor.runners.spark": "pyspark",
    "reactor.runners.ray": "ray",
}
# Set-up a reader does once; .ci/run does it for real.
SET_UP = re.compile(r"python3? -m venv|(\.venv/bin/)?pip |git |cd |source ")


class Block(NamedTuple):
    """One fenced block: `line` is that of its first line of content, 1-based."""

    line: int
    language: str
    title: str
    text: str


def name_of(path: Path) -> str:
    """Name a page relative to the project."""
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        yield Block(text.count("\n", 0, match.start(3)) + 1, match[1], match[2].strip(), match[3])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder to work in, with the docs beside and `reactor` as a command."""
    (tmp_path / "docs").symlink_to(DOCS)
    commands = tmp_path / ".bin"
    commands.mkdir()
    script = commands / "reactor"
    run = "import sys; from reactor.cli import main; sys.exit(main())"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{run}' \"$@\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(reactor.__file__).parents[1]))
    monkeypatch.setenv("REACTOR_SECRET", "a secret for the examples")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_examples_run(page: Path, folder: Path) -> None:
    """Every block of a page does what the page says."""
    namespace: dict[str, Any] = {"__name__": "docs"}
    for block in blocks(page):
        place = f"{name_of(page)}:{block.line}"
        if block.language == "python":
            run_python(block, place, namespace)
        elif block.text.startswith("$ "):
            run_console(block, place, page)
        elif block.language in DATA:
            take_data(block, place, folder)


def run_python(block: Block, place: str, namespace: dict[str, Any]) -> None:
    """Run a block; an error's traceback shows the page and its line."""
    if block.title in ("shown", "spark"):
        ast.parse(block.text)
    elif ">>> " in block.text:
        name, _, _ = place.partition(":")
        test = doctest.DocTestParser().get_doctest(block.text, namespace, name, place, block.line - 1)
        runner = doctest.DocTestRunner(optionflags=OPTIONS)
        report: list[str] = []
        runner.run(test, out=report.append, clear_globs=False)
        namespace.update(test.globs)
        assert not report, "".join(report)
    else:
        assert block.title == "", f"{place}: a python block is `shown` or has no title, not {block.title!r}"
        exec(compile("\n" * (block.line - 1) + block.text, place.partition(":")[0], "exec"), namespace)


def run_console(block: Block, place: str, page: Path) -> None:
    """Run each command of a block, and compare what comes out with what is shown."""
    expected = int(block.title.removeprefix("exit=")) if block.title else 0
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, shown = split_command(part)
        if SET_UP.match(command):
            continue
        done = subprocess.run(
            command,
            shell=True,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        got = "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())
        assert done.returncode == expected, f"{place}: $ {command}\nexit {done.returncode}\n{got}"
        if not shown.strip() or matches(shown, got):
            continue
        assert UPDATE and not ANY_LINES.search(shown), (
            f"{place}: $ {command}\nshown:\n{shown}\ngot:\n{got}\n(UPDATE_DOCS=1 writes this into the page)"
        )
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(f"$ {command}\n{shown}", f"$ {command}\n{got}"), encoding="utf-8")


def matches(shown: str, got: str) -> bool:
    """Tell whether the output is what is shown; a line `...` stands for any lines."""
    pieces = ANY_LINES.split(shown.strip("\n") + "\n")
    return re.fullmatch(r"(?:.*\n)*".join(re.escape(piece) for piece in pieces), got) is not None


def split_command(part: str) -> tuple[str, str]:
    """Cut a command, which goes on after a backslash, from the output shown below it."""
    lines = part.split("\n")
    last = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
    return "\n".join(lines[: last + 1]), "\n".join(lines[last + 1 :])


def take_data(block: Block, place: str, folder: Path) -> None:
    """Write a titled block to its file; load a whole config; parse JSON."""
    if block.title not in ("", "wrong"):
        target = folder / block.title
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text, encoding="utf-8")
    lines = [line for line in block.text.splitlines() if line.strip() and not line.startswith("#")]
    if block.language == "yaml" and lines and lines[0].startswith("version:"):
        source = folder / (block.title if block.title.endswith(".yaml") else "block.yaml")
        source.write_text(block.text, encoding="utf-8")
        if block.title == "wrong":
            with pytest.raises(ConfigError):
                Config.load(source)
        else:
            Config.load(source)
    elif block.language == "json":
        json.loads(block.text)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.*?) *$", text, flags=re.MULTILINE)
    explicit = re.findall(r'<a (?:id|name)="([^"]+)"', text)
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {*slugs, *explicit}


@pytest.mark.parametrize("page", READ, ids=name_of)
def test_links_resolve(page: Path) -> None:
    """Every link to a file or a heading of this project finds it."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for link in LINK.findall(text):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_index_names_every_page() -> None:
    """A page that the index does not link to is a page nobody finds."""
    index = DOCS / "README.md"
    links = LINK.findall(index.read_text(encoding="utf-8"))
    linked = {ROOT / "README.md", index, *((DOCS / link.partition("#")[0]).resolve() for link in links)}
    assert [name_of(page) for page in PAGES if page not in linked] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != ROOT], ids=name_of)
def test_a_page_says_who_it_is_for(page: Path) -> None:
    """The first line below the title starts with `For`."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert lines[0].startswith("# ")
    assert lines[1].startswith("For ")


@pytest.mark.parametrize("name", ["reactor", *MODULES])
def test_doctests(name: str) -> None:
    """Every example in a docstring runs."""
    if name in OTHER_ENGINES:
        pytest.importorskip(OTHER_ENGINES[name], reason="NOT RUN: another engine, installed by hand")
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    report: list[str] = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)):
        runner.run(test, out=report.append)
    assert not report, "".join(report)


def test_the_python_reference_is_complete() -> None:
    """Every public name and every public method and property has a heading in the reference."""
    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    errors = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    methods = [name for name in vars(reactor.Reactor) if not name.startswith("_")]
    heads = ("`{}(", "`Reactor.{}(", "### `{}`")
    missing = [name for name in methods if not any(head.format(name) in text for head in heads)]
    missing += [name for name in reactor.__all__ if f"`{name}" not in text + errors]
    assert missing == []


def test_the_architecture_page_names_every_module() -> None:
    """Whoever adds a module says what it is for."""
    text = (DOCS / "internals" / "architecture.md").read_text(encoding="utf-8")
    modules = {name.split(".")[1] for name in MODULES}
    assert {name for name in modules if f"| `{name}` |" not in text} == set()


def test_the_limits_page_names_every_limit() -> None:
    """Every key of `limits:` is in the page, with its default."""
    text = (DOCS / "reference" / "limits.md").read_text(encoding="utf-8")
    names = """window items keys attributes tables sub_windows associations panes fields name event
        value_bytes identifier_bytes clock_skew idle profiles memory when_full"""
    assert [name for name in names.split() if f"| `{name}` |" not in text] == []
