"""`reactor process`: JSON lines of events in, one response a line out."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import cast

import msgspec

from reactor.cli.console import DONE, CommandError, binary_stdout, warn
from reactor.cli.inputs import add_table, unknown_table
from reactor.cli.lines import lines_of, opened
from reactor.cli.loading import add_audience, add_config, add_state, load, now_argument, warn_of
from reactor.engine import Reactor
from reactor.errors import EventError
from reactor.payload import Audience
from reactor.spec import Config

SUMMARY = "answer events: JSON lines in, one response a line out"
EXAMPLE = "tail -f events.jsonl | reactor process reactor.yaml --table web.pageviews --now now"

Answer = Callable[[bytes], bytes]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config(parser)
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default="-",
        help="JSON lines, one event a line, also .gz or .zst; - is stdin (default)",
    )
    add_table(parser)
    parser.add_argument(
        "--now",
        metavar="TIME",
        type=now_argument,
        help="the time at which events are read, or `now` for this machine's clock; "
        "without it an event needs a time of its own",
    )
    add_audience(parser)
    add_state(parser)


def run(arguments: argparse.Namespace) -> int:
    """Answer every line in its place: a response, or what was wrong with the line."""
    config = load(arguments.config)
    answer = _answer(config, _table(config, arguments.table), arguments)
    target = binary_stdout()
    with opened(arguments.file) as source:
        # Someone may be waiting for each answer; a file waits for nobody.
        live = source is sys.stdin.buffer
        for line in lines_of(source, config.limits.event_bytes):
            target.write(answer(line))
            target.write(b"\n")
            if live:
                target.flush()
    target.flush()
    return DONE


def _table(config: Config, table: str | None) -> str | None:
    if table is None and len(config.tables) != 1:
        raise CommandError(f"--table is needed: the config names {', '.join(config.tables)}")
    if table is not None and (remark := unknown_table(table, config)):
        warn(remark)
    return table


def _answer(config: Config, table: str | None, arguments: argparse.Namespace) -> Answer:
    # This is the one place that reads the machine's clock.
    clock = time.time if arguments.now == "now" else None
    engine = Reactor(config, state=arguments.state, clock=clock)
    warn_of(engine.loaded)
    now = None if arguments.now == "now" else arguments.now
    audience = cast(Audience, arguments.audience)
    process = engine.process_json

    def answer(line: bytes) -> bytes:
        try:
            return process(line, table=table, audience=audience, now=now)
        except EventError as error:
            problem = {"path": error.path, "reason": error.reason}
        return msgspec.json.encode({"error": problem})

    return answer
