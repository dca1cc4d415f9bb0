"""`--runner`: a command's replay elsewhere, and what comes back."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from reactor.cli.console import CommandError, count_of, on_terminal
from reactor.cli.inputs import Input, asked_of
from reactor.frames import need
from reactor.spec import Config

if TYPE_CHECKING:
    import polars as pl

    from reactor.runners.spark import SparkOutcome

EXTRA: Final = '"reactor-engine[spark]"'
# Options that need one machine, by their names in the arguments, with the reason.
_ALONE: Final = {
    "memory": "each bucket is replayed in the memory of its executor",
    "workers": "the runner has workers of its own, and --buckets says how many parts there are",
    "state": "a snapshot holds all profiles, so the history can't be replayed in parts",
    "limit": "which events come first is known only where all of them are sorted",
}


def add_runner(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say where a replay runs."""
    group = parser.add_argument_group("where it runs")
    group.add_argument(
        "--runner", choices=("spark",), help="replay on Spark: events and tables are paths of parquet"
    )
    group.add_argument("--master", metavar="M", help="Spark's master (default: local[*,4], this machine)")
    group.add_argument("--buckets", metavar="N", type=int, help="parts that are replayed apart (default: 64)")
    group.add_argument(
        "--conf",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a setting of Spark; may be repeated",
    )


def check_runner(arguments: argparse.Namespace, tables: Sequence[str]) -> None:
    """Raise what speaks against a runner, before anything is read.

    tables: names of the arguments that say where a table is written.
    """
    if arguments.runner is None:
        for name in ("master", "buckets", "conf"):
            if getattr(arguments, name):
                raise CommandError(f"--{name} needs --runner: it says how a runner works")
        return
    for name, reason in _ALONE.items():
        if getattr(arguments, name, None) is not None:
            raise CommandError(f"--{name} does not go with --runner: {reason}")
    if "-" in [getattr(arguments, name) for name in tables]:
        raise CommandError("-: expected a folder, which Spark writes parquet to, got stdout")
    _settings(arguments)
    need("pyspark", "--runner spark", EXTRA)
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java") is None and not (home and shutil.which("java", path=f"{home}/bin")):
        raise CommandError(
            "--runner spark needs Java 17 or later: install it (apt-get install openjdk-17-jre-headless),"
            " or set JAVA_HOME"
        )


class OnSpark:
    """What a replay on Spark gave. summary: as on one machine, with the report of the split."""

    def __init__(self, outcome: SparkOutcome, tables: Mapping[str, Any]) -> None:
        from reactor.runners.outcome import Gathered

        self._outcome = outcome
        self._tables = tables
        self._gathered = Gathered(outcome, **tables)
        self.summary: dict[str, Any] = {**self._gathered.summary, "split": outcome.split}
        self.firsts: pl.DataFrame = self._gathered.firsts

    def frames(self, name: str) -> Iterable[pl.DataFrame]:
        """Return a table in frames, fetched from Spark."""
        return self._gathered.frames(name)

    def write(self, name: str, path: str) -> None:
        """Write a table to a folder of parquet, from where it lies."""
        self._outcome.given(name, **self._tables).write.parquet(path)


def replayed(
    arguments: argparse.Namespace,
    config: Config,
    inputs: Sequence[Input],
    tables: Mapping[str, Any],
    places: Sequence[str],
    stack: ExitStack,
) -> OnSpark:
    """Replay on Spark, which ends with the stack; tables: what to make beside the offers.

    places: where tables will be written. Raises CommandError for one that is there already.
    """
    from reactor.runners import lake
    from reactor.runners.session import LOCAL, session
    from reactor.runners.spark import BUCKETS, split

    # The workers are started with this environment.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    master = arguments.master or (None if submitted else LOCAL)
    progress = {"spark.ui.showConsoleProgress": "true" if on_terminal(sys.stderr) else "false"}
    spark = stack.enter_context(session(master, {**progress, **_settings(arguments)}))
    for place in places:
        if lake.exists(spark, place):
            raise CommandError(f"{place}: expected a folder that is not there yet: nothing is written over")
    events = lake.events(spark, inputs)
    outcome = split(
        spark,
        [config],
        events,
        arguments.batch,
        lake.NUMBER,
        BUCKETS if arguments.buckets is None else arguments.buckets,
        **asked_of(arguments),
    )
    return OnSpark(outcome, tables)


def split_lines(split: Mapping[str, Any]) -> Iterator[str]:
    """Yield how a history fell apart, for a person."""
    largest = split["largest"]
    share = f", the largest with {count_of(largest[0], 'row')}" if largest else ""
    yield (
        f"Split by {count_of(split['identifiers'], 'identifier')} and {count_of(split['pairs'], 'pair')}"
        f" into {count_of(split['components'], 'component')}{share}"
    )
    took = split["by_bucket"]
    rows = sorted(each["rows"] for each in took)
    seconds = sorted(each["seconds"] for each in took)
    if took:
        yield (
            f"{count_of(split['buckets'], 'bucket')}, the largest with {count_of(rows[-1], 'row')},"
            f" {split['skew']:.2f} times the mean, and {seconds[-1]:.1f} s, of {sum(seconds):.1f} s in all"
        )


def _settings(arguments: argparse.Namespace) -> dict[str, str]:
    pairs = [text.partition("=") for text in arguments.conf]
    for name, separator, _ in pairs:
        if not separator or not name.startswith("spark."):
            raise CommandError(
                "--conf: expected a setting such as spark.executor.memory=4g, got something else"
            )
    return {name: value for name, _, value in pairs}
