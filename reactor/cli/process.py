"""`reactor process`: JSON lines of events in, one response a line out."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from reactor.cli.console import DONE, CommandError, binary_stdout, warn
from reactor.cli.inputs import add_table, unknown_table
from reactor.cli.loading import (
    add_audience,
    add_config,
    add_state,
    load,
    require_file,
    time_argument,
    warn_of,
)
from reactor.engine import Reactor
from reactor.errors import EventError
from reactor.frames.files import Form, form_of, read_bytes
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
        type=_now,
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
    with _opened(arguments.file) as source:
        # Someone may be waiting for each answer; a file waits for nobody.
        live = source is sys.stdin.buffer
        for line in _lines(source, config.limits.event_bytes):
            target.write(answer(line))
            target.write(b"\n")
            if live:
                target.flush()
    target.flush()
    return DONE


def _now(text: str) -> str:
    return text if text == "now" else time_argument(text)


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


def _opened(file: str) -> AbstractContextManager[BinaryIO]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    require_file(file)
    form = _form(file)
    if form is None or form.kind == "lines":
        packed = None if form is None else form.compression
        return Path(file).open("rb") if packed is None else io.BytesIO(read_bytes(file, packed))
    raise CommandError(f"{file}: expected JSON lines; `reactor simulate` reads files of this kind")


def _form(file: str) -> Form | None:
    """Return what the file's ending says; None for one that says nothing: its lines are taken as they are."""
    try:
        return form_of(file)
    except EventError:
        return None


def _lines(source: BinaryIO, most_bytes: int) -> Iterator[bytes]:
    """Yield lines without their ends; of one that is too long, as much as shows that it is."""
    # Room for the line end; a line without one would otherwise be read whole into memory.
    while line := source.readline(most_bytes + 2):
        if not line.endswith(b"\n"):
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = source.readline(most_bytes)
        yield line.removesuffix(b"\n").removesuffix(b"\r")
