"""`reactor compare`: replay a history against two configs, and say what the second offers differently."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from reactor.cli.console import DONE, FOUND, CommandError, binary_stdout, complain, progress, warn
from reactor.cli.loading import load, warn_of
from reactor.cli.simulate import (
    add_events,
    add_report,
    bad_rows,
    check_places,
    inputs_of,
    need_report,
    options_of,
    write_page,
    write_summary,
)
from reactor.frames import need
from reactor.replay import Replay, Results
from reactor.replay.options import BadRowError
from reactor.spec import Config

if TYPE_CHECKING:
    from reactor.replay import Comparison

SUMMARY = "replay a history against two configs: what changes, and why"
EXAMPLE = "reactor compare reactor.yaml cheaper.yaml orders.csv.gz --batch loyalty.csv --out changes.parquet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config_a", metavar="A", help="the config as it is")
    parser.add_argument("config_b", metavar="B", help="the config as it may become")
    add_events(parser)
    outputs = parser.add_argument_group("what to say and write")
    outputs.add_argument(
        "--out", metavar="F", help="a row per offer that differs; - writes JSON lines to stdout"
    )
    outputs.add_argument("--summary", metavar="F", help="the summary as JSON")
    add_report(outputs)
    outputs.add_argument(
        "--examples",
        metavar="N",
        type=int,
        default=3,
        help="examples for each section and change (default: 3)",
    )
    outputs.add_argument("--fail-on-change", action="store_true", help="exit with 1 if anything differs")


def run(arguments: argparse.Namespace) -> int:
    """Replay both, write what was asked for, and print the summary."""
    for library in ("polars", "rich"):
        need(library, "compare")
    configs = load(arguments.config_a), load(arguments.config_b)
    check_places([arguments.out], [arguments.summary, arguments.report])
    need_report(arguments.report)
    if arguments.examples < 0:
        raise CommandError("--examples: expected a number of examples, got something else")
    try:
        comparison = _compare(arguments, configs)
    except BadRowError as error:
        problem = str(error)
    else:
        _write(arguments, comparison)
        _report(arguments, comparison)
        return FOUND if arguments.fail_on_change and comparison.differs else DONE
    complain(f"{problem}; nothing was written")
    return FOUND


def _compare(arguments: argparse.Namespace, configs: tuple[Config, Config]) -> Comparison:
    from reactor.replay import Comparison

    a, b = (_replay(arguments, config, name) for config, name in zip(configs, "AB", strict=True))
    comparison = Comparison(a[0], b[0], a[1], b[1], examples=arguments.examples)
    for side in ("A", "B"):
        if comparison.offers.height == 0 or not arguments.examples:
            break
        with progress(f"Explaining {side}") as report:
            comparison.explain(side.lower(), report)
    return comparison


def _replay(arguments: argparse.Namespace, config: Config, name: str) -> tuple[Replay, Results]:
    events: Any = [(table, file) for file, table in inputs_of(arguments, config)]
    with progress(f"Reading for {name}"):
        replay = Replay(config, events, options_of(arguments), batch=arguments.batch)
    with progress(f"Replaying {name}") as report:
        results = replay.run(progress=report)
    warn_of(replay.loaded)
    return replay, results


def _write(arguments: argparse.Namespace, comparison: Comparison) -> None:
    from reactor.frames.writing import encode, write_frame

    if arguments.summary is not None:
        write_summary(arguments.summary, comparison.summary())
    if arguments.report is not None:
        from reactor.report import comparison_page

        write_page(arguments.report, comparison_page(comparison))
    if arguments.out == "-":
        encode([comparison.offers], "lines", binary_stdout())
    elif arguments.out is not None:
        write_frame(comparison.offers, arguments.out)


def _report(arguments: argparse.Namespace, comparison: Comparison) -> None:
    from reactor.cli.compared import show

    show(comparison, sys.stderr if arguments.out == "-" else sys.stdout)
    a, b = ([*bad_rows(results.summary), *results.summary["warnings"]] for results in comparison.results)
    for text in a:
        warn(text if text in b else f"A: {text}")
    for text in b:
        if text not in a:
            warn(f"B: {text}")
