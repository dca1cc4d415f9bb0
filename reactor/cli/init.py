"""`reactor init`: write a small example to start from."""

from __future__ import annotations

import argparse
import shlex
from importlib import resources
from pathlib import Path

from reactor.cli.console import DONE, CommandError, aligned, say

SUMMARY = "write an example config, events, batch rows and tests"
EXAMPLE = "reactor init shop"
FILES = ("reactor.yaml", "events.jsonl", "loyalty.csv", "shop.test.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "directory",
        metavar="DIR",
        nargs="?",
        default=".",
        help="where to write; made if missing (default: here)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the example files, all or none, over nothing that exists; say what to run next."""
    folder = Path(arguments.directory)
    existing = [str(folder / name) for name in FILES if (folder / name).exists()]
    if existing:
        raise CommandError(f"{', '.join(existing)}: already there; nothing was written")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            content = resources.files("reactor.cli").joinpath("example", name).read_bytes()
            # "x": a file that appeared since the check above is not overwritten either.
            with (folder / name).open("xb") as target:
                target.write(content)
    except OSError as error:
        raise CommandError(f"{folder}: can't write here: {error.strerror}") from None
    say(*_next_steps(folder))
    return DONE


def _next_steps(folder: Path) -> list[str]:
    config, events, loyalty = (shlex.quote(str(folder / name)) for name in FILES[:3])
    steps = [
        ("check the config", f"reactor check {config}"),
        ("run its tests", f"reactor test {shlex.quote(str(folder))}"),
        ("replay the events", f"reactor simulate {config} {events} --table-column table --batch {loyalty}"),
    ]
    return [f"Wrote {', '.join(FILES)} to {folder}. Next:", *aligned(steps)]
