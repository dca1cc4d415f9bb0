"""Large histories on Spark, byte for byte against one machine: every table, for several numbers of buckets.

    python tests/runners/large.py --history retail-v1 --events 1000000 --buckets 1,2,7,64
    python tests/runners/large.py --history online-retail --buckets 1,2,7,64

`retail-v1` is drawn by `reactor.testing.workloads`, with merges that come late; `online-retail` is a
year of a shop's orders, of which the folder is given with --data. Prints a line a table and number of
buckets, and ends with 1 if a byte differs. Takes up to 4 GB.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import polars as pl

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout, not what is installed

from reactor.frames import rows_of  # noqa: E402  # after the path
from reactor.replay import Replay  # noqa: E402
from reactor.spec import Config, load_config  # noqa: E402
from reactor.testing import workloads  # noqa: E402

SHARED = ROOT.parent / "shared"
TABLES = {"offers": "event", "id_changes": "event", "attributes": "event", "profiles": "rid"}
ALL = {"attributes": True, "profiles": True}
SETTINGS = {"spark.driver.memory": "1500m", "spark.ui.showConsoleProgress": "false"}


class History(NamedTuple):
    """A config, its events as parquet by table, and batch rows."""

    config: Config
    events: Mapping[str, Path]
    batch: Sequence[Mapping[str, object]] | None


def retail_v1(folder: Path, events: int) -> History:
    """Write so many events of `retail-v1`, a table a file, piece by piece."""
    rng = Random(1)
    clients = [workloads.client_id(rng.getrandbits(128)) for _ in range(workloads.CLIENTS)]
    stream = workloads._retail_events(rng, clients)
    tables = (workloads.PAGES, workloads.ORDERS)
    for number, start in enumerate(range(0, events, 250_000)):
        some = list(islice(stream, min(250_000, events - start)))
        for table in tables:
            frame = pl.DataFrame([event for name, event in some if name == table], infer_schema_length=None)
            frame.select(sorted(frame.columns)).write_ipc(folder / f"{table}-{number:04}.ipc")
    paths = {table: folder / f"{table}.parquet" for table in tables}
    for table, path in paths.items():
        pl.scan_ipc(sorted(folder.glob(f"{table}-*.ipc"))).sink_parquet(path)
    return History(load_config(dict(workloads.retail_config())), paths, workloads.batch_rows())


def online_retail(folder: Path, data: Path) -> History:
    """Write the order lines of the raw file as they are, as texts."""
    rows = rows_of(data / "data" / "online-retail" / "online_retail.csv.gz", keys=[], most_bytes=100_000)
    path = folder / "lines.parquet"
    rows.frame.write_parquet(path)  # type: ignore[attr-defined]
    config = load_config(data / "examples" / "retail-rfm.yaml")
    return History(config, {next(iter(config.tables)): path}, None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay on one machine, then on Spark for each number of buckets; return how many tables differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--history", choices=("retail-v1", "online-retail"), required=True)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--buckets", default="1,2,7,64")
    parser.add_argument("--master", default="local[2,4]")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        is_drawn = options.history == "retail-v1"
        history = retail_v1(folder, options.events) if is_drawn else online_retail(folder, options.data)
        one_machine(history, folder)
        differing = list(different(history, folder, options))
    for text in differing:
        print(text)
    return 1 if differing else 0


def one_machine(history: History, folder: Path) -> None:
    """Write the tables of one machine."""
    begun = time.perf_counter()
    results = Replay(history.config, dict(history.events), batch=history.batch).run(**ALL)
    for name in TABLES:
        getattr(results, name).write_parquet(folder / f"{name}.parquet")
    took = time.perf_counter() - begun
    print(f"one machine: {results.summary['events']:,} events in {took:.0f} s", flush=True)


def different(history: History, folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """Yield what differs on Spark."""
    from reactor.runners import lake
    from reactor.runners.session import session
    from reactor.runners.spark import SparkRun, split

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ["PYTHONPATH"] = str(ROOT)
    with session(options.master, SETTINGS) as spark:
        for buckets in map(int, options.buckets.split(",")):
            begun = time.perf_counter()
            events = lake.events(spark, [(str(path), table) for table, path in history.events.items()])
            outcome = split(spark, [history.config], events, history.batch, lake.NUMBER, buckets)
            run = SparkRun(outcome).made(**ALL)
            for name in TABLES:
                outcome.given(name, **ALL).write.parquet(str(folder / f"{name}-{buckets}"))
            took = time.perf_counter() - begun
            rows = max(each["rows"] for each in run.summary() and run.split["by_bucket"])
            print(f"{buckets} buckets: {took:.0f} s, the largest of {rows:,} rows", flush=True)
            outcome.made(**ALL).unpersist()
            for name in TABLES:
                text = f"{buckets} buckets: {name}: {compared(folder, name, buckets)}"
                print(text, flush=True)
                if "the same" not in text:
                    yield text


def compared(folder: Path, name: str, buckets: int) -> str:
    """Return what a table on Spark is against that of one machine, sorted by event or rid."""
    key = TABLES[name]
    one = pl.read_parquet(folder / f"{name}.parquet")
    found = pl.read_parquet(folder / f"{name}-{buckets}" / "*.parquet").sort(key, maintain_order=True)
    if found.columns != one.columns or found.height != one.height:
        return f"{found.height:,} rows of {found.width} columns, expected {one.height:,} of {one.width}"
    differs = [
        column for column in one.columns if not _bytes(found[column], one).equals(_bytes(one[column], one))
    ]
    return f"{', '.join(differs)} differ" if differs else f"the same {one.height:,} rows"


def _bytes(column: pl.Series, one: pl.DataFrame) -> pl.Series:
    """Return a column so that equal means the same bits: -0.0 is not 0.0."""
    same: Any = column.cast(one.schema[column.name])
    return same.reinterpret(signed=True) if same.dtype == pl.Float64 else same


if __name__ == "__main__":
    sys.exit(main())
