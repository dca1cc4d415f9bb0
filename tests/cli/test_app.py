"""The command as a whole: help, exit codes, errors, and the page that documents it."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import Run

from reactor.cli.app import COMMANDS, parser

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
REACTOR = [sys.executable, "-m", "reactor.cli"]


def subparsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    action = next(each for each in parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(action.choices)


def section(command: str) -> str:
    """Return the part of the page about a command."""
    match = re.search(rf"^## reactor {command}$(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert match is not None, f"the page has no section about {command}"
    return match[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_the_exit_codes(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert re.search(rf"^example: .*reactor {command}", done.out, re.MULTILINE)
    assert "exit codes: 0 done, 1 ran and found something, 2 could not run, 130 interrupted" in done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_names_every_option(command: str) -> None:
    """Help and page name the same options and their choices."""
    text = section(command).replace("\\|", "|")
    options = {name for action in subparsers()[command]._actions for name in action.option_strings}
    options -= {"-h", "--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - {"--now"} == options - {"--now"}
    assert ("--now" in text) == ("--now" in options)
    for action in subparsers()[command]._actions:
        if action.choices and action.option_strings:
            assert "|".join(map(str, action.choices)) in text
        if not action.option_strings:
            assert str(action.metavar) in text or command in ("schema",)


def test_help_lists_every_command(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    for name, module in COMMANDS.items():
        assert re.search(rf"^ +{name} +{re.escape(module.SUMMARY[:20])}", done.out, re.MULTILINE)
        assert f"[`reactor {name}`](#reactor-{name})" in PAGE.read_text()


@pytest.mark.parametrize(
    "arguments", [(), ("guess",), ("check",), ("check", "--nope"), ("process", "c", "--audience", "all")]
)
def test_wrong_usage_is_exit_2(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "usage: reactor" in done.err
    assert "Traceback" not in done.err


def test_options_are_not_guessed(run: Run, config: Path) -> None:
    """A beginning of an option could become another option's in a later version."""
    assert run("check", config, "--stri").code == 2


@pytest.mark.parametrize("command", [["check"], ["process"], ["source"]])
def test_a_missing_config(run: Run, command: list[str], tmp_path: Path) -> None:
    missing = tmp_path / "no.yaml"
    done = run(*command, missing)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {missing}: can't be read: No such file or directory\n"


@pytest.mark.parametrize("command", ["process", "source", "simulate"])
def test_a_config_with_problems_is_exit_2_where_it_should_run(run: Run, command: str, config: Path) -> None:
    """Every problem is on a line of its own, with its place."""
    config.write_text(config.read_text().replace("web.views", "7").replace("window: 7d", "window: 7 days"))
    done = run(command, config, *(["events.csv"] if command == "simulate" else []))
    assert (done.code, done.out) == (2, "")
    lines = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(lines) >= 2
    assert all(line.startswith(f"error: {config}:") for line in lines)


def test_version(run: Run) -> None:
    assert re.fullmatch(r"reactor \S.*\n", run("--version").out)


def test_a_reader_that_leaves_ends_the_command_quietly(config: Path, tmp_path: Path) -> None:
    """`reactor process … | head -1`: no traceback, exit 0."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(b'{"id": "a", "time": 1}\n' * 20_000)
    line = f"{shlex.join([*REACTOR, 'process', str(config), str(events)])} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b'{"offers":{}}\n0\n', b"")


def test_ctrl_c_is_exit_130(config: Path) -> None:
    command = [*REACTOR, "process", str(config), "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b'{"id": "a", "time": 1}\n')
        process.stdin.flush()
        assert process.stdout.readline() == b'{"offers":{}}\n'  # answered before the end of the input
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.read() == b"interrupted\n"


def test_a_terminal_of_another_encoding(config: Path, tmp_path: Path) -> None:
    """A character that stdout can't show becomes an escape; it does not end the run."""
    config.write_text(config.read_text().replace("Hello:", "Grüße 日本:"), encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run([*REACTOR, "check", str(config)], capture_output=True, env=environment, check=False)
    assert done.returncode == 0
    assert rb"Gr\xfc\xdfe" in done.stdout
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", ["check", "source"])
def test_a_full_disk_is_exit_2(config: Path, command: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*REACTOR, command, str(config)], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (2, b"error: can't be written: No space left on device\n")
