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
        choices=("config", "explain", "gateway", "openapi"),
        default="config",
        help="config (default); explain: what `reactor explain --format json` prints; gateway: a gateway "
        "file; openapi: the OpenAPI description of what is served",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the schema."""
    from reactor.explain import explanation_schema
    from reactor.gateway.openapi import openapi
    from reactor.gateway.raw import gateway_schema
    from reactor.spec import config_schema

    schemas = {
        "config": config_schema,
        "explain": explanation_schema,
        "gateway": gateway_schema,
        "openapi": openapi,
    }
    say(json.dumps(schemas[arguments.what](), indent=2, ensure_ascii=False))
    return DONE
