"""`reactor schema`: print the JSON Schema of a config."""

from __future__ import annotations

import argparse
import json

from reactor.cli.console import DONE, say

SUMMARY = "print the JSON Schema of a config, for an editor"
EXAMPLE = "reactor schema > reactor.schema.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: none."""


def run(arguments: argparse.Namespace) -> int:
    """Print the schema."""
    from reactor.spec import config_schema

    say(json.dumps(config_schema(), indent=2, ensure_ascii=False))
    return DONE
