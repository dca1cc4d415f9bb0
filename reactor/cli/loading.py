"""Arguments that several commands share, and what they name."""

from __future__ import annotations

import argparse
from pathlib import Path

from reactor.cli.console import CommandError, warn
from reactor.spec import Config, load_config
from reactor.state import ReloadReport
from reactor.units import parse_time


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare the CONFIG argument."""
    parser.add_argument("config", metavar="CONFIG", help="the config: a .yaml, .toml or .json file")


def add_audience(parser: argparse.ArgumentParser) -> None:
    """Declare the `--audience` option."""
    parser.add_argument(
        "--audience",
        choices=("public", "private"),
        default="public",
        help="who reads the answers; public redacts sections that read something sensitive (default: public)",
    )


def add_state(parser: argparse._ActionsContainer) -> None:
    """Declare the `--state` option."""
    parser.add_argument("--state", metavar="FILE", help="a snapshot to go on from; it is not changed")


def warn_of(report: ReloadReport | None) -> None:
    """Say what state that was made under another config has lost; nothing where it has not."""
    if report is None:
        return
    for change in report.reset:
        warn(f'--state: "{change.name}" starts anew: {change.reason}')
    for change in report.dropped:
        warn(f'--state: "{change.name}" is dropped: {change.reason}')
    for change in report.kept:
        for part, time in change.complete_from.items():
            warn(f'--state: "{part}" is complete from {time:%Y-%m-%dT%H:%M:%SZ}')
    numbers = {
        "identifiers dropped": report.identifiers_dropped,
        "identifiers evicted": report.identifiers_evicted,
        "profiles dropped": report.profiles_dropped,
        "batch rows dropped": report.rows_dropped,
    }
    for what, number in numbers.items():
        if number:
            warn(f"--state: {number:,} {what}")


def load(path: str) -> Config:
    """Load a config. Raises CommandError if there is no such file, ConfigError for its problems."""
    require_file(path)
    return load_config(path)


def require_file(path: str | Path) -> None:
    """Raise CommandError unless `path` is a file that can be read."""
    try:
        with Path(path).open("rb"):
            return
    except OSError as error:
        reason = error.strerror
    raise CommandError(f"{path}: can't be read: {reason}")


def time_argument(text: str) -> str:
    """Check a time given on the command line; for argparse's `type`.

    >>> time_argument("2011-03-01")
    '2011-03-01'
    """
    if parse_time(text) is None:
        raise argparse.ArgumentTypeError(
            'expected a time: epoch seconds, "2011-03-01", "2011-03-01T10:00:00Z" or with an offset'
        )
    return text


def now_argument(text: str) -> str:
    """Check the value of `--now`: a time, or `now` for the machine's clock."""
    return text if text == "now" else time_argument(text)
