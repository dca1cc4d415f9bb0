"""`reactor simulate --runner spark`: the files, the summary and the report of one machine."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from replay.pieces import JOINING

from reactor.cli import main, runner

from .same import NUMBER, history

pytestmark = pytest.mark.filterwarnings("ignore")  # pyspark's own, at every call
TABLES = ("out", "attributes", "attributes_before", "profiles", "id_changes")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write a config, orders in a file and views in a folder of two, and batch rows."""
    monkeypatch.chdir(tmp_path)
    Path("shop.json").write_text(json.dumps(JOINING))
    Path("rows.jsonl").write_text(json.dumps({"email": "x1@", "account": "p", "tier": "gold"}))
    frame = history(9).drop(NUMBER, "table")
    views = frame.drop("ordered_at").filter(pl.col("time").is_not_null())
    frame.drop("time").write_parquet("orders.parquet")
    Path("views").mkdir()
    views.slice(0, 9).write_parquet("views/1.parquet")
    views.slice(9).write_parquet("views/2.parquet")
    yield tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    """Run a command line in this process; return its exit code, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["simulate", "shop.json", *arguments])
    return code, out.getvalue(), err.getvalue()


def at(*names: str) -> list[str]:
    """Return paths from the root: Spark's process has a folder of its own."""
    found = []
    for table, separator, file in (name.rpartition("=") for name in names):
        found.append(f"{table}{separator}{Path(file).resolve()}")
    return found


def outputs(ending: str = "") -> list[str]:
    """Return options for every output; tables get an ending."""
    tables = [text for name in TABLES for text in (f"--{name.replace('_', '-')}", *at(name + ending))]
    return [*tables, *(text for name, file in FILES.items() for text in (f"--{name}", file))]


FILES = {"rejects": "rejects.csv", "summary": "summary.json", "report": "report.html"}
ON_SPARK = ("--runner", "spark", "--buckets", "3")


def test_what_is_written(spark: Any) -> None:
    """Every table has the rows of one machine, and all else is the same but for the report of the split."""
    asked = ["--batch", "rows.jsonl", "--audience", "private"]
    files = ["web.views=views/1.parquet", "web.views=views/2.parquet", "web.orders=orders.parquet"]
    code, said, warned = run(*at(*files), *asked, *outputs(".parquet"))
    assert code == 0
    kept = {name: Path(file).read_text() for name, file in FILES.items()}
    there = at("web.views=views", "web.orders=orders.parquet")
    code, said_there, warned_there = run(*there, *asked, *outputs(), *ON_SPARK)
    assert (code, warned_there) == (0, warned)
    for name in TABLES:
        expected = pl.read_parquet(f"{name}.parquet")
        key = "rid" if name == "profiles" else "event"
        found = pl.read_parquet(f"{name}/*.parquet").sort(key, maintain_order=True)
        assert found.cast(expected.schema).equals(expected), name
    assert Path("report.html").read_text() == kept["report"]
    assert Path("rejects.csv").read_text() == kept["rejects"]
    assert kept["rejects"].count("orders.parquet,") > 5
    summary = json.loads(Path("summary.json").read_text())
    split = summary.pop("split")
    assert summary == json.loads(kept["summary"])
    assert [each["bucket"] for each in split["by_bucket"]] == [0, 1, 2]
    assert said_there.startswith(said)
    rest = said_there[len(said) :].split("\n")
    assert rest[1] == (
        f"Split by {split['identifiers']} identifiers and {split['pairs']} pairs"
        f" into {split['components']} components, the largest with {split['largest'][0]} rows"
    )
    assert rest[2].startswith("3 buckets, the largest with ")


def test_nothing_is_written_over(spark: Any) -> None:
    """A folder that is there stays as it is, and the command ends before it replays."""
    Path("out").mkdir()
    code, out, err = run(*at("web.views=views"), "--out", *at("out"), *ON_SPARK)
    assert (code, out) == (2, "")
    out = at("out")[0]
    assert err == f"error: {out}: expected a folder that is not there yet: nothing is written over\n"


def test_what_cannot_be_read(spark: Any) -> None:
    """One line for a path that holds no parquet."""
    code, _, err = run("web.views=/no/such.parquet", *ON_SPARK)
    assert (code, err) == (
        2,
        "error: /no/such.parquet: expected parquet, a file or a folder, got something else or nothing\n",
    )


def test_strict(spark: Any) -> None:
    """The first bad row ends the command with 1, and nothing is written."""
    code, out, err = run(*at("web.orders=orders.parquet"), "--out", *at("out"), "--strict", *ON_SPARK)
    assert (code, out, Path("out").exists()) == (1, "", False)
    assert "orders.parquet, event 0: ordered_at: " in err


def test_a_failure_on_spark_is_one_line() -> None:
    """Our own error in a worker is said; of all else Spark's log has the rest."""
    pytest.importorskip("pyspark", reason='NOT RUN: pip install "reactor-engine[spark]"')
    from reactor.runners.session import reason_of

    assert reason_of("Traceback\n  x\nreactor.errors.EventError: id: expected text\n") == "id: expected text"
    assert reason_of("ValueError: 'a secret'") == "the job failed on Spark: its log says where"


# What needs no Spark


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--memory", "2GB"], "--memory does not go with --runner: each bucket is replayed in"),
        (["--state", "s"], "--state does not go with --runner: a snapshot holds all profiles"),
        (["--limit", "5"], "--limit does not go with --runner: which events come first"),
        (["--out", "-"], "-: expected a folder, which Spark writes parquet to, got stdout"),
        (["--conf", "memory=4g"], "--conf: expected a setting such as spark.executor.memory=4g"),
    ],
)
def test_options_that_do_not_go_together(options: list[str], expected: str) -> None:
    code, out, err = run("web.views=views", "--runner", "spark", *options)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {expected}")


@pytest.mark.parametrize("option", [["--master", "local"], ["--buckets", "3"], ["--conf", "spark.a=b"]])
def test_options_of_a_runner_alone(option: list[str]) -> None:
    code, _, err = run("web.views=views/1.parquet", *option)
    assert (code, err) == (2, f"error: {option[0]} needs --runner: it says how a runner works\n")


def test_without_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    code, _, err = run("web.views=views", "--runner", "spark")
    assert (code, err) == (2, 'error: --runner spark needs pyspark: pip install "reactor-engine[spark]"\n')


def test_without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """So is Java."""
    monkeypatch.setattr(runner, "need", lambda *_: None)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    code, _, err = run("web.views=views", "--runner", "spark")
    assert (code, err.startswith("error: --runner spark needs Java 17 or later: install it")) == (2, True)
