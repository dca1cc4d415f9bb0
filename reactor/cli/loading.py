"""Arguments that several commands share, and what they name."""

from __future__ import annotations

import argparse
from pathlib import Path

from reactor.cli.console import CommandError
from reactor.spec import Config, load_config
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
