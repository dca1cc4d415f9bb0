"""`reactor source`: print the Python that a config is compiled to."""

from __future__ import annotations

import argparse

from reactor.cli.console import DONE, say
from reactor.cli.loading import add_config, load

SUMMARY = "print the Python that a config is compiled to"
EXAMPLE = "reactor source reactor.yaml | less"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the source."""
    from reactor.engine import Reactor

    say(Reactor(load(arguments.config)).source().rstrip("\n"))
    return DONE
