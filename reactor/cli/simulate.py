"""`reactor simulate`: replay a history, and say what was offered to whom."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from reactor.cli.console import (
    DONE,
    FOUND,
    CommandError,
    binary_stdout,
    complain,
    count_of,
    progress,
    say,
    warn,
)
from reactor.cli.inputs import HELP, Input, add_table, asked_of, parse_inputs
from reactor.cli.loading import (
    add_audience,
    add_config,
    add_state,
    load,
    require_file,
    time_argument,
    warn_of,
)
from reactor.cli.runner import OnSpark, add_runner, check_runner, replayed, split_lines
from reactor.frames import form_of, need, replacing
from reactor.replay import Options, Replay, Results
from reactor.replay.options import BadRowError, options
from reactor.spec import Config

if TYPE_CHECKING:
    from reactor.replay.pieced import PiecedResults

SUMMARY = "replay a history: what was offered to whom"
EXAMPLE = "reactor simulate reactor.yaml orders.csv.gz --batch loyalty.csv --out offers.parquet"

MOST_REASONS = 10
# The tables whose places are named in the arguments, by their names there.
TABLES = ("out", "attributes", "attributes_before", "profiles", "id_changes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config(parser)
    add_events(parser)
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        help="replay in pieces that fit into about this much, such as 2GB, by way of a temporary folder",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=int,
        help="replay by N processes, each some of the profiles, by way of a temporary folder (default: 1)",
    )
    _add_outputs(parser.add_argument_group("what to write, by ending: csv, jsonl, json or parquet"))
    add_runner(parser)


def add_events(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that say which events are replayed, and how."""
    parser.add_argument("files", metavar="[TABLE=]FILE", nargs="+", help=HELP)
    events = parser.add_argument_group("which events")
    tables = events.add_mutually_exclusive_group()
    add_table(tables)
    tables.add_argument("--table-column", metavar="C", help="the column that names each event's table")
    events.add_argument("--time", metavar="COLUMN", help="the time column, in place of the config's")
    events.add_argument("--batch", metavar="FILE", help="imported rows; a column `time` dates them")
    events.add_argument(
        "--since", metavar="T", type=time_argument, help="events before T build state but give no rows"
    )
    events.add_argument("--until", metavar="T", type=time_argument, help="leave out events at or after T")
    events.add_argument("--limit", metavar="N", type=int, help="the first N events after sorting by time")
    add_audience(parser)
    add_state(parser)
    parser.add_argument("--strict", action="store_true", help="end at the first bad row, with exit code 1")
    parser.add_argument(
        "--engine", choices=("auto", "live", "columnar"), default="auto", help="which engine (default: auto)"
    )


def _add_outputs(outputs: argparse._ArgumentGroup) -> None:
    outputs.add_argument("--out", metavar="F", help="a row per offer; - writes JSON lines to stdout")
    outputs.add_argument("--attributes", metavar="F", help="a row per event: every attribute just after it")
    outputs.add_argument("--attributes-before", metavar="F", help="the same just before the event")
    outputs.add_argument("--profiles", metavar="F", help="a row per profile, at the end or at --at")
    outputs.add_argument("--at", metavar="T", type=time_argument, help="the reading time of --profiles")
    outputs.add_argument("--id-changes", metavar="F", help="the identity log: private data")
    outputs.add_argument("--rejects", metavar="F", help="the bad rows: number, path and reason")
    outputs.add_argument("--summary", metavar="F", help="the summary as JSON")
    add_report(outputs)


def add_report(outputs: argparse._ArgumentGroup) -> None:
    """Declare the `--report` option."""
    outputs.add_argument("--report", metavar="F", help="charts and tables as one page of HTML")


def need_report(path: str | None) -> None:
    """Raise MissingExtraError, where a report is asked for, unless what draws it is installed."""
    for library in ("jinja2", "vl_convert") if path is not None else ():
        need(library, "--report", '"reactor-engine[report]"')


def run(arguments: argparse.Namespace) -> int:
    """Replay, write what was asked for, and print the summary."""
    for library in ("polars", "rich"):
        need(library, "simulate")
    check_runner(arguments, TABLES)
    config = load(arguments.config)
    inputs = inputs_of(arguments, config)
    _check_outputs(arguments)
    with ExitStack() as stack:
        try:
            results = _replay(arguments, config, inputs, stack)
        except BadRowError as error:
            problem = str(error)
        else:
            _write(arguments, config, results)
            _report(arguments, config, results)
            return DONE
    complain(f"{problem}; nothing was written")
    return FOUND


def inputs_of(arguments: argparse.Namespace, config: Config) -> list[Input]:
    """Return the files of events, each with its table. Raises CommandError for what can't be read.

    A runner's paths are not looked at: only it can.
    """
    if arguments.batch is not None:
        require_file(arguments.batch)
    return parse_inputs(
        arguments.files,
        config,
        arguments.table,
        any_table=arguments.table_column is not None,
        files=getattr(arguments, "runner", None) is None,
    )


def _check_outputs(arguments: argparse.Namespace) -> None:
    if arguments.at is not None and arguments.profiles is None:
        raise CommandError("--at is the reading time of --profiles: name a file for those")
    tables = _places(arguments) if arguments.runner is None else []
    check_places([*tables, arguments.rejects], [arguments.summary, arguments.report])
    need_report(arguments.report)


def _places(arguments: argparse.Namespace) -> list[str]:
    """Return where tables are to be written."""
    return [path for name in TABLES if (path := getattr(arguments, name)) is not None]


def check_places(tables: Sequence[str | None], others: Sequence[str | None]) -> None:
    """Raise what would otherwise end the command after all the work is done.

    tables: files of tables, whose endings say what they are; - is stdout. others: further files.
    """
    named = [path for path in tables if path not in (None, "-")]
    for path in named:
        form_of(str(path))
    for path in (*named, *(path for path in others if path)):
        if not Path(str(path)).resolve().parent.is_dir():
            raise CommandError(f"{path}: there is no such folder")


def _replay(
    arguments: argparse.Namespace, config: Config, inputs: list[Input], stack: ExitStack
) -> Results | PiecedResults | OnSpark:
    """Replay, whole, in pieces or on a runner; what that leaves behind is removed with the stack."""
    from reactor.replay.pieced import PiecedReplay, sizes_of

    chosen = options_of(arguments)
    events: Any = [(table, file) for file, table in inputs]
    asked: dict[str, Any] = {
        "attributes": arguments.attributes is not None,
        "attributes_before": arguments.attributes_before is not None,
        "profiles": arguments.profiles is not None,
        "at": arguments.at,
    }
    if arguments.runner is not None:
        return replayed(arguments, config, inputs, asked, _places(arguments), stack)
    workers = 1 if arguments.workers is None else arguments.workers
    asked["id_changes"] = arguments.id_changes is not None or arguments.report is not None
    if arguments.memory is None and workers == 1:
        with progress("Reading"):
            replay = Replay(config, events, chosen, batch=arguments.batch)
        with progress("Replaying") as report:
            results = replay.run(**asked, progress=report)
        warn_of(replay.loaded)
        return results
    sizes = sizes_of(arguments.memory, workers)
    with progress("Reading") as report:
        pieced = PiecedReplay(
            config, events, chosen, batch=arguments.batch, sizes=sizes, workers=workers, progress=report
        )
    stack.callback(pieced.close)
    with progress("Replaying") as report:
        return pieced.parted(**asked, progress=report)


def options_of(arguments: argparse.Namespace) -> Options:
    """Return the options of a replay that the arguments of `add_events` ask for."""
    chosen = options(**asked_of(arguments), limit=arguments.limit)
    return msgspec.structs.replace(chosen, state=arguments.state)


def _write(arguments: argparse.Namespace, config: Config, results: Results | PiecedResults | OnSpark) -> None:
    from reactor.frames.writing import encode

    for name in (*TABLES[1:], "rejects"):
        path = getattr(arguments, name)
        if path is not None:
            _write_table(results, name, path)
    if arguments.summary is not None:
        write_summary(arguments.summary, results.summary)
    if arguments.report is not None:
        from reactor.report import replay_page

        write_page(arguments.report, replay_page(config, results))
    # Last, because a reader of stdout may leave before the end.
    if arguments.out == "-":
        encode(results.frames("offers"), "lines", binary_stdout())
    elif arguments.out is not None:
        _write_table(results, "offers", arguments.out)


def _write_table(results: Results | PiecedResults | OnSpark, name: str, path: str) -> None:
    from reactor.frames.writing import write_frames

    if isinstance(results, OnSpark) and name != "rejects":
        results.write(name, path)
    else:
        write_frames(results.frames(name), path)


def write_summary(path: str, summary: Mapping[str, Any]) -> None:
    """Write a summary as JSON."""
    with replacing(path) as target:
        target.write(json.dumps(summary, indent=2, ensure_ascii=False).encode() + b"\n")


def write_page(path: str, page: str) -> None:
    """Write a page of HTML."""
    with replacing(path) as target:
        target.write(page.encode())


def _report(
    arguments: argparse.Namespace, config: Config, results: Results | PiecedResults | OnSpark
) -> None:
    from reactor.cli.offered import show

    show(config, results.summary, results.firsts, sys.stderr if arguments.out == "-" else sys.stdout)
    if isinstance(results, OnSpark):
        say("", *split_lines(results.summary["split"]))
    for line in bad_rows(results.summary):
        warn(line)
    for text in results.summary["warnings"]:
        warn(text)


def bad_rows(summary: Mapping[str, Any]) -> list[str]:
    """Return a line for each reason that rows were left out for."""
    lines = []
    for each in summary["rejects"][:MOST_REASONS]:
        numbers = [str(number) for number in each["first"] if number is not None]
        more = ", …" if each["rows"] > len(numbers) else ""
        noun = "row" if each["rows"] == 1 else "rows"
        which = f" ({noun} {', '.join(numbers)}{more})" if numbers else ""
        lines.append(f"{count_of(each['rows'], 'bad row')}{which}: {each['path']}: {each['reason']}")
    rest = len(summary["rejects"]) - MOST_REASONS
    return [*lines, f"{rest:,} more reasons: see --rejects"] if rest > 0 else lines
