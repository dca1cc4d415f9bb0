"""`reactor explain`: why an event is answered as it is, what would change that, and when it changes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from reactor.cli.console import DONE, FOUND, CommandError, complain, progress, say, warn
from reactor.cli.inputs import HELP, add_table, parse_inputs, unknown_table
from reactor.cli.lines import lines_of, opened
from reactor.cli.loading import add_audience, add_config, add_state, load, now_argument, require_file, warn_of
from reactor.cli.simulate import bad_rows
from reactor.engine import Reactor
from reactor.errors import EventError, did_you_mean
from reactor.explain import Explanation
from reactor.frames import need
from reactor.payload import Audience
from reactor.spec import Config

SUMMARY = "say why an event is answered as it is, what would change that, and when"
EXAMPLE = (
    "reactor explain reactor.yaml event.json --table web.pageviews --state shop.state --audience private"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config(parser)
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="an event as .json, or JSON lines, one event a line, also .gz or .zst; - is stdin (default)",
    )
    add_table(parser)
    parser.add_argument(
        "--now",
        metavar="TIME",
        type=now_argument,
        help="the time at which events are read, or `now` for this machine's clock",
    )
    add_audience(parser)
    parser.add_argument(
        "--key",
        metavar="NAME=VALUE",
        action="append",
        help="explain a read of the profile with this identifier, in place of events; may be repeated",
    )
    parser.add_argument("--section", metavar="NAME", help="only this section")
    start = parser.add_argument_group("what went before")
    past = start.add_mutually_exclusive_group()
    add_state(past)
    past.add_argument("--events", metavar="[TABLE=]FILE", nargs="+", help=f"a history; {HELP}")
    past.add_argument(
        "--over",
        metavar="[TABLE=]FILE",
        nargs="+",
        help="with --section: a history to count over, leaf by leaf, in place of explaining events",
    )
    start.add_argument("--table-column", metavar="C", help="the column that names each event's table")
    start.add_argument("--batch", metavar="FILE", help="imported rows; a column `time` dates them")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")


def run(arguments: argparse.Namespace) -> int:
    """Explain events, a read, or a section over a history."""
    config = load(arguments.config)
    _check(arguments, config)
    if arguments.over is not None:
        return _funnel(arguments, config)
    engine = _engine(arguments, config)
    if arguments.key is not None:
        _show(engine.explain(keys=_keys(arguments.key), **_options(arguments)), arguments)
        return DONE
    return _events(engine, config, arguments)


def _check(arguments: argparse.Namespace, config: Config) -> None:
    """Raise what would otherwise end the command after all the work is done."""
    names = [section.name for section in config.sections]
    if arguments.section is not None and arguments.section not in names:
        hint = did_you_mean(arguments.section, names) or f"its sections: {', '.join(names)}"
        raise CommandError(f'--section: the config has no section "{arguments.section}" ({hint})')
    if arguments.over is not None and (arguments.section is None or arguments.key or arguments.file):
        raise CommandError("--over counts over a history: name a --section, and no event and no --key")
    if arguments.key is not None and arguments.file is not None:
        raise CommandError("--key explains a read: name no file of events with it")
    if arguments.batch is not None:
        require_file(arguments.batch)
    if arguments.table is not None and (remark := unknown_table(arguments.table, config)):
        warn(remark)
    is_reading = arguments.key is not None or arguments.over is not None
    if not is_reading and arguments.table is None and len(config.tables) != 1:
        raise CommandError(f"--table is needed: the config names {', '.join(config.tables)}")


def _engine(arguments: argparse.Namespace, config: Config) -> Reactor:
    """Return an engine as it is after the history, or as the snapshot has it."""
    clock = time.time if arguments.now == "now" else None
    if arguments.events is None:
        engine = Reactor(config, state=arguments.state, clock=clock)
        warn_of(engine.loaded)
        if arguments.batch is not None:
            need("polars", "explain --batch")
            from reactor.replay.batch import Batch

            Batch(arguments.batch, config, strict=False).load(engine)
        return engine
    with tempfile.TemporaryDirectory() as folder:
        state = str(Path(folder) / "state")
        with progress("Replaying") as report:
            results = _replay(arguments, config, arguments.events).run(snapshot=state, progress=report)
        for line in bad_rows(results.summary):
            warn(line)
        return Reactor(config, state=state, clock=clock)


def _replay(arguments: argparse.Namespace, config: Config, files: list[str]) -> Any:
    need("polars", "explain with a history")
    from reactor.replay import Replay
    from reactor.replay.options import options

    any_table = arguments.table_column is not None
    inputs = parse_inputs(files, config, None if any_table else arguments.table, any_table=any_table)
    chosen = options(
        table=None if any_table else arguments.table,
        table_column=arguments.table_column,
        audience=arguments.audience,
    )
    with progress("Reading"):
        return Replay(config, [(table, file) for file, table in inputs], chosen, batch=arguments.batch)


def _funnel(arguments: argparse.Namespace, config: Config) -> int:
    replay = _replay(arguments, config, arguments.over)
    from reactor.replay import funnel_of

    with progress("Replaying") as report:
        found = funnel_of(replay, arguments.section, replay.options, report)
    say(found.json().decode() if arguments.format == "json" else found.text().rstrip("\n"))
    return DONE


def _keys(texts: list[str]) -> dict[str, str]:
    keys = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise CommandError("--key: expected NAME=VALUE, got text without =")
        keys[name] = value
    return keys


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    now = None if arguments.now == "now" else arguments.now
    return {"audience": cast(Audience, arguments.audience), "now": now}


def _events(engine: Reactor, config: Config, arguments: argparse.Namespace) -> int:
    """Explain each event against the same state; a line that is none is complained of."""
    code = DONE
    is_first = True
    for number, line in enumerate(_lines(arguments, config), 1):
        try:
            why = engine.explain(line, arguments.table, **_options(arguments))
        except EventError as error:
            problem = f"line {number}: {error}"
        else:
            if not is_first and arguments.format == "text":
                say("", "-" * 80, "")
            is_first = False
            _show(why, arguments)
            continue
        complain(problem)
        code = FOUND
    return code


def _lines(arguments: argparse.Namespace, config: Config) -> Iterator[bytes]:
    if arguments.file is not None and arguments.file.endswith(".json"):
        require_file(arguments.file)
        yield Path(arguments.file).read_bytes()  # one event, over as many lines as it likes
        return
    with opened(arguments.file or "-") as source:
        for line in lines_of(source, config.limits.event_bytes):
            if line.strip():
                yield line


def _show(why: Explanation, arguments: argparse.Namespace) -> None:
    if arguments.format == "json":
        body = why.json()
        if arguments.section is not None:
            document: Mapping[str, Any] = msgspec.json.decode(body)
            kept = [each for each in document["sections"] if each["name"] == arguments.section]
            body = msgspec.json.encode({**document, "sections": kept})
        say(body.decode())
    else:
        say(why.text(section=arguments.section).rstrip("\n"))
    sys.stdout.flush()
