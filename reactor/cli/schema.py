"""`reactor schema`: print the JSON Schema of a config, or of an explanation."""

from __future__ import annotations

import argparse
import json

from reactor.cli.console import DONE, say

SUMMARY = "print the JSON Schema of a config, for an editor, or of an explanation"
EXAMPLE = "reactor schema > reactor.schema.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "what",
        metavar="WHAT",
        nargs="?",
        choices=("config", "explain"),
        default="config",
        help="config (default), or explain: what `reactor explain --format json` prints",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the schema."""
    from reactor.explain import explanation_schema
    from reactor.spec import config_schema

    schema = explanation_schema() if arguments.what == "explain" else config_schema()
    say(json.dumps(schema, indent=2, ensure_ascii=False))
    return DONE
