"""`reactor compare`: what it says and writes, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from commandline import CONFIG, Run


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Write the config with another limit, and without the section that is redacted."""
    path = tmp_path / "other.yaml"
    text = CONFIG.replace("views >= 2", "views >= 1")
    path.write_text("\n".join(line for line in text.splitlines() if "You:" not in line) + "\n")
    return path


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Write three visits of two visitors."""
    path = tmp_path / "events.csv"
    path.write_text("id,time,name\na,100,Ada\na,101,\nb,102,\n")
    return path


def test_the_summary(run: Run, config: Path, other: Path, events: Path) -> None:
    """For a person: what changed by section, then an example of each change with its reason."""
    done = run("compare", config, other, events)
    assert (done.code, done.err) == (0, "")
    lines = [line.rstrip() for line in done.out.splitlines() if set(line) - set("─ ")]
    assert lines[:2] == [
        "shop: 3 events, 1970-01-01 to 1970-01-01, answered for a public audience",
        "2 offers gained, 2 offers lost, 1 offer the same",
    ]
    cells = [line.split() for line in lines[3:6]]
    assert cells[0] == ["Hello", "1", "3", "2", "0", "0", "1", "2", "1.00", "1.50"]
    assert cells[1] == ["You", "(only", "in", "A)", "2", "0", "0", "2", "0", "1", "0", "2.00"]
    assert cells[2] == ["All", "sections", "3", "3", "2", "2", "0", "1", "2", "3.00", "1.50"]
    assert "views >= 2 is false in A, views >= 1 is true in B" in " ".join(done.out.split())
    assert "not in this config: B" in done.out
    assert "Ada" not in done.out


def test_nothing_differs(run: Run, config: Path, events: Path) -> None:
    done = run("compare", config, config, events, "--fail-on-change")
    assert (done.code, done.err) == (0, "")
    assert "nothing differs\n" in done.out


def test_fail_on_change(run: Run, config: Path, other: Path, events: Path) -> None:
    """For CI: exit 1 where anything differs; everything is written all the same."""
    assert run("compare", config, other, events).code == 0
    out = events.with_name("changes.csv")
    assert run("compare", config, other, events, "--fail-on-change", "--out", out).code == 1
    assert pl.read_csv(out)["change"].to_list() == ["gained", "lost", "lost", "gained"]


def test_what_is_written(run: Run, config: Path, other: Path, events: Path, tmp_path: Path) -> None:
    """The same rows in every format; the summary as JSON."""
    files = [tmp_path / f"changes.{ending}" for ending in ("csv", "jsonl", "parquet", "csv.gz")]
    summary = tmp_path / "summary.json"
    for path in files:
        assert run("compare", config, other, events, "--out", path, "--summary", summary).code == 0
    frames = [
        pl.read_csv(files[0]),
        pl.read_ndjson(files[1]),
        pl.read_parquet(files[2]),
        pl.read_csv(files[3]),
    ]
    columns = ["event", "section", "change", "attributes_a", "attributes_b"]
    for frame in frames:
        assert frame.select(columns).rows() == [
            (0, "Hello", "gained", None, '{"views":1}'),
            (0, "You", "lost", None, None),
            (1, "You", "lost", None, None),
            (2, "Hello", "gained", None, '{"views":1}'),
        ]
    found = json.loads(summary.read_text())
    assert (found["offers"], found["only_in_a"]) == (
        {"same": 1, "gained": 2, "lost": 2, "changed": 0},
        ["You"],
    )
    done = run("compare", config, other, events, "--out", "-")
    assert done.out == files[1].read_text()
    assert done.err.startswith("shop: 3 events")


def test_examples(run: Run, config: Path, other: Path, events: Path) -> None:
    assert "because" not in run("compare", config, other, events, "--examples", "0").out
    done = run("compare", config, other, events, "--examples", "-1")
    assert (done.code, done.out) == (2, "")


def test_a_private_audience_sees_no_value_on_the_terminal(
    run: Run, config: Path, other: Path, events: Path
) -> None:
    done = run("compare", config, other, events, "--audience", "private")
    assert done.code == 0
    assert "Ada" not in done.out + done.err


def test_strict_and_bad_rows(run: Run, config: Path, other: Path, events: Path, tmp_path: Path) -> None:
    events.write_text(events.read_text() + "c,soon,\n")
    out = tmp_path / "changes.csv"
    done = run("compare", config, other, events, "--strict", "--out", out)
    assert (done.code, done.out, out.exists()) == (1, "", False)
    assert "event 3: time: expected epoch seconds" in done.err
    done = run("compare", config, other, events)
    assert (done.code, done.err.count("warning: 1 bad row (row 3): time: ")) == (0, 1)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--out", "changes.xls"], "error: changes.xls: expected a file name that ends in one of"),
        (["--summary", "no/such/a.json"], "error: no/such/a.json: there is no such folder"),
        (["--limit", "-1"], "error: limit: expected a number of events"),
    ],
)
def test_arguments_that_cannot_be_met(
    run: Run, config: Path, events: Path, options: list[str], error: str
) -> None:
    done = run("compare", config, config, events, *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)


def test_a_missing_config(run: Run, config: Path, events: Path) -> None:
    done = run("compare", config, "no.yaml", events)
    assert (done.code, done.err) == (2, "error: no.yaml: can't be read: No such file or directory\n")
