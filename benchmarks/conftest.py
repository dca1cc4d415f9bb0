"""The lines that are printed at the end of a run."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from sizes import FULL

LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """A list whose lines are printed after the run, under the name of the benchmark."""
    lines: list[str] = []
    yield lines
    kept = request.config.stash.setdefault(LINES, [])
    kept.extend(f"{request.node.name}: {line}" for line in lines)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the benchmarks said; figures of a small run are marked as such."""
    lines = config.stash.get(LINES, [])
    if not lines:
        return
    size = "full size" if FULL else "small: these figures say nothing; REACTOR_BENCH=full for real ones"
    terminalreporter.section(f"figures ({size})")
    for line in lines:
        terminalreporter.line(line)
    terminalreporter.line(
        f"Python {platform.python_version()}, msgspec {version('msgspec')}, {platform.machine()}, "
        f"{os.cpu_count()} cores"
    )
