"""`reactor init`: files to start from, over nothing that is there."""

from __future__ import annotations

import shlex
from pathlib import Path

from commandline import Run

FILES = ["events.jsonl", "loyalty.csv", "reactor.yaml", "shop.test.yaml"]


def test_writes_the_example_and_says_what_to_run(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "shop"
    done = run("init", folder)
    assert (done.code, done.err) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert done.out.startswith(
        f"Wrote reactor.yaml, events.jsonl, loyalty.csv, shop.test.yaml to {folder}. Next:\n"
    )
    for command in ("check", "test", "simulate"):
        assert f"reactor {command} {folder}" in done.out


def test_what_it_says_to_run_does_run(run: Run, tmp_path: Path) -> None:
    """The example is a config without problems or warnings, with tests that pass and offers to show."""
    folder = tmp_path / "my shop"
    lines = run("init", folder).out.splitlines()
    commands = [shlex.split(line.partition(" reactor ")[2]) for line in lines if " reactor " in line]
    assert [command[0] for command in commands] == ["check", "test", "simulate"]
    for command in commands:
        done = run(*command)
        assert (done.code, done.err) == (0, ""), command
    assert run("check", folder / "reactor.yaml", "--strict").code == 0


def test_never_overwrites(run: Run, tmp_path: Path) -> None:
    """One file that is there already, and nothing is written."""
    (tmp_path / "loyalty.csv").write_text("mine")
    done = run("init", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {tmp_path / 'loyalty.csv'}: already there; nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["loyalty.csv"]
    assert (tmp_path / "loyalty.csv").read_text() == "mine"


def test_a_place_that_cannot_be_written_to(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("init", tmp_path / "file" / "shop")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {tmp_path / 'file' / 'shop'}: can't write here: ")
