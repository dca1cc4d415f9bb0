"""What is wrong with a config is said exactly: problems.txt holds configs and their problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reactor.errors import ConfigError
from reactor.spec import load_config

PAGE = (Path(__file__).parent / "problems.txt").read_text(encoding="utf-8")
HEAD, *CASES = PAGE.split("\n=== ")
BASE = HEAD[HEAD.index("version: 1") :].rstrip("\n") + "\n"


def case(text: str) -> tuple[str, str, list[str]]:
    """Return a case's name, its config and its problems."""
    first, _, body = text.partition("\n")
    config, _, problems = body.rpartition("\n---\n")
    name = first.removesuffix(" (base)")
    if name != first:
        config = BASE + config
    return name, config + "\n" if config else "", problems.rstrip("\n").split("\n")


TABLE = [case(text) for text in CASES]


@pytest.mark.parametrize(("config", "problems"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_problems_are_exact(
    config: str, problems: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every problem, in the order of the file: place, path, expected, got, hint, caret."""
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(config, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config("c.yaml", environ={})
    expected = [f"c.yaml:{line}" if line[0].isdigit() else line for line in problems]
    assert str(caught.value).split("\n") == expected
    assert caught.value.__context__ is None
    assert all(problem.file == "c.yaml" for problem in caught.value.problems)


def test_the_table_is_long_enough() -> None:
    """Each kind of mistake has its case, under its own name."""
    names = [name for name, _, _ in TABLE]
    assert len(names) == len(set(names)) >= 60


def test_a_mapping_has_paths_without_places() -> None:
    """From Python there is no file: the path says where."""
    source: dict[Any, object] = {"version": 1, "key_events": {"view": 5}, 7: None}
    with pytest.raises(ConfigError) as caught:
        load_config(source)
    assert str(caught.value).split("\n") == [
        '$: expected text as a key, got a Python int (quote it: "7")',
        'key_events.view: expected text or a mapping, got the number 5 (quote it: "5")',
    ]
    assert [(problem.line, problem.column, problem.file) for problem in caught.value.problems] == [
        (None, None, None)
    ] * 2


def test_a_secret_is_in_no_text() -> None:
    """Neither a problem nor a `repr` shows what the environment holds."""
    source = {"version": 1, "identity": {"keys": ["a"], "secret": "${A}${B}"}}
    with pytest.raises(ConfigError) as caught:
        load_config(source, environ={"A": "hunter2"})
    assert "hunter2" not in str(caught.value)
    config = load_config(source, environ={"A": "hunter2", "B": "!"})
    assert config.secret == "hunter2!"
    assert "hunter2" not in repr(config)
