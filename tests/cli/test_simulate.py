"""`reactor simulate`: every flag, every file it writes, and what it says of bad input."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import polars as pl
import pytest
from commandline import Run

from reactor.cli.rate import RateColumn

ROOT = Path(__file__).resolve().parents[2]
RETAIL = ROOT / "docs" / "examples" / "retail"
EXAMPLE = ROOT / "reactor" / "cli" / "example"
SHOP = [EXAMPLE / "reactor.yaml", EXAMPLE / "events.jsonl", "--table-column", "table"]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Write five visits of two visitors."""
    path = tmp_path / "events.csv"
    path.write_text("id,time,name\na,100,\na,101,Ada\nb,102,\na,103,\nb,104,Bob\n")
    return path


def offers(path: Path) -> list[tuple[object, ...]]:
    """Return (event, section, attributes) of each row of an offers file."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [(row["event"], row["section"], row["attributes"]) for row in rows]


# The example


def test_the_retail_example(run: Run, tmp_path: Path) -> None:
    """The README's first command, and two sections counted by hand from the lines."""
    summary = tmp_path / "summary.json"
    done = run(
        "simulate", RETAIL / "reactor.yaml", RETAIL / "orders.csv.gz", "--batch", RETAIL / "loyalty.csv",
        "--summary", summary,
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        "retail: 19,898 events, 2010-12-01 to 2011-12-09, 314 profiles, answered for a public audience\n"
        "68 batch rows imported\n"
    )
    with gzip.open(RETAIL / "orders.csv.gz", "rt", encoding="utf-8", newline="") as file:
        lines = [
            line for line in csv.DictReader(file)
            if line["InvoiceNo"][0] != "C" and int(line["Quantity"]) > 0 and float(line["UnitPrice"]) > 0
        ]  # fmt: skip
    customers = len({line["CustomerID"] for line in lines if line["CustomerID"]})
    guests = len({line["InvoiceNo"] for line in lines if not line["CustomerID"]})
    sections = {each["section"]: each for each in json.loads(summary.read_text())["sections"]}
    assert (sections["Welcome"]["offers"], sections["Create an account"]["offers"]) == (customers, guests)
    assert all(each["offers"] for each in sections.values())
    redacted = {name for name, each in sections.items() if each["redacted"] == each["offers"]}
    assert redacted == {"Loyalty discount", "Sorry it came back"}
    for name in sections:
        assert f"  {name}  " in done.out


def test_a_private_audience_gets_everything_but_the_summary_shows_nothing_sensitive(
    run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "offers.jsonl"
    done = run("simulate", *SHOP, "--batch", EXAMPLE / "loyalty.csv", "--audience", "private", "--out", out)
    assert done.code == 0
    assert '"tier":"gold"' in json.dumps(offers(out)).replace("\\", "").replace(" ", "")
    assert "gold" not in done.out
    assert "(sensitive: not shown)" in done.out


def test_the_summary(run: Run, config: Path, events: Path) -> None:
    done = run("simulate", config, events)
    assert (done.code, done.err) == (0, "")
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert [re.sub(r"[0-9a-f]{8}", "the rid ", line) for line in lines if set(line) != {"─"}] == [
        "shop: 5 events, 1970-01-01 to 1970-01-01, 2 profiles, answered for a public audience",
        "",
        "Section        Offers   Profiles   Reach   Answered with",
        "home",
        "  Hello             3          2    100%   its payload",
        "  You               3          2    100%   {}, redacted",
        "All sections        6       of 2           3 offers redacted",
        "",
        "First offer of   at (UTC)           to profile …   with",
        "Hello            1970-01-01 00:01   the rid        views: 2",
        "You              1970-01-01 00:01   the rid        (sensitive: not shown)",
    ]


# What is written


def test_out_has_a_row_per_offer(run: Run, config: Path, events: Path, tmp_path: Path) -> None:
    """The same rows in every format."""
    files = [
        tmp_path / f"offers.{ending}" for ending in ("csv", "jsonl", "json", "parquet", "csv.gz", "ndjson.gz")
    ]
    for path in files:
        assert run("simulate", config, events, "--out", path).code == 0
    frames = [
        pl.read_csv(files[0]), pl.read_ndjson(files[1]), pl.read_json(files[2]), pl.read_parquet(files[3]),
        pl.read_csv(files[4]), pl.read_ndjson(gzip.decompress(files[5].read_bytes())),
    ]  # fmt: skip
    columns = [
        "event",
        "table",
        "time",
        "rid",
        "profile",
        "personalization",
        "section",
        "redacted",
        "attributes",
    ]
    for frame in frames:
        assert frame.columns == [*columns, "batch_segments"]
        assert frame.select("event", "section", "redacted", "attributes").rows() == [
            (1, "Hello", False, '{"views":2}'),
            (1, "You", True, None),
            (3, "Hello", False, '{"views":3}'),
            (3, "You", True, None),
            (4, "Hello", False, '{"views":2}'),
            (4, "You", True, None),
        ]
    assert frames[3].schema["time"] == pl.Datetime("ms", "UTC")
    assert frames[0]["time"][0] == "1970-01-01T00:01:41.000Z"


def test_out_to_stdout(run: Run, config: Path, events: Path, tmp_path: Path) -> None:
    """Data on stdout, the summary on stderr."""
    path = tmp_path / "offers.jsonl"
    run("simulate", config, events, "--out", path)
    done = run("simulate", config, events, "--out", "-")
    assert (done.code, done.out) == (0, path.read_text())
    assert done.err.startswith("shop: 5 events")


def test_every_table(run: Run, config: Path, events: Path, tmp_path: Path) -> None:
    names = ("attributes", "profiles", "id-changes", "rejects")
    options = [part for name in names for part in (f"--{name}", tmp_path / f"{name}.parquet")]
    summary = tmp_path / "summary.json"
    events.write_text(events.read_text() + "c,soon,\n")
    assert run("simulate", config, events, *options, "--summary", summary).code == 0
    attributes, profiles, changes, rejects = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in names)
    assert attributes.columns == ["event", "table", "time", "rid", "views"]  # `name` is sensitive
    assert attributes["views"].to_list() == [1, 2, 1, 3, 2]
    assert profiles.drop("rid").columns == ["created", "last_seen", "views", "sections"]
    assert profiles["views"].to_list() == [3, 2]
    assert changes["profile_change_type"].to_list() == ["profile_added", "profile_added"]
    assert rejects["event"].to_list() == [5]
    assert json.loads(summary.read_text())["rejected"] == 1
    private = tmp_path / "private.csv"
    assert run("simulate", config, events, "--profiles", private, "--audience", "private").code == 0
    assert {"id", "email", "name"} < set(pl.read_csv(private).columns)


def test_profiles_at_a_time(run: Run, config: Path, events: Path, tmp_path: Path) -> None:
    """From the events until then, read then."""
    path = tmp_path / "profiles.csv"
    assert run("simulate", config, events, "--profiles", path, "--at", "101").code == 0
    assert pl.read_csv(path)["views"].to_list() == [2]
    assert run("simulate", config, events, "--profiles", path, "--at", "1970-02-01").code == 0
    assert pl.read_csv(path)["views"].to_list() == [0, 0]
    done = run("simulate", config, events, "--at", "101")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: --at is the reading time of --profiles: name a file for those\n"


# Which events


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--since", "103"], [3, 3, 4, 4]),
        (["--until", "103"], [1, 1]),
        (["--until", "1970-01-01T00:01:43Z"], [1, 1]),
        (["--limit", "2"], [1, 1]),
        (["--limit", "0"], []),
        (["--since", "102", "--until", "104"], [3, 3]),
    ],
)
def test_parts_of_a_history(
    run: Run, config: Path, events: Path, tmp_path: Path, options: list[str], expected: list[int]
) -> None:
    """Events before --since build state, events from --until on are not read."""
    path = tmp_path / "offers.jsonl"
    assert run("simulate", config, events, "--out", path, *options).code == 0
    assert [event for event, _, _ in offers(path)] == expected


def test_the_time_column(run: Run, config: Path, events: Path, tmp_path: Path) -> None:
    path = tmp_path / "offers.jsonl"
    events.write_text("id,seen\na,100\na,101\n")
    done = run("simulate", config, events, "--time", "seen", "--out", path)
    assert (done.code, offers(path)) == (0, [(1, "Hello", '{"views":2}')])


def test_tables_of_files(run: Run, config: Path, events: Path, tmp_path: Path) -> None:
    """TABLE=FILE, --table and --table-column; several files are one history."""
    config.write_text(config.read_text().replace("{view: web.views}", "{view: web.views, order: web.orders}"))
    path = tmp_path / "offers.jsonl"
    done = run("simulate", config, events)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: {events}: which table are its events of? "
        f"write TABLE={events}; tables: web.views, web.orders\n"
    )
    other = tmp_path / "other.csv"
    other.write_text("id,time\na,99\n")
    for inputs in ([f"web.views={events}"], [events, "--table", "web.views"]):
        assert run("simulate", config, *inputs, "--out", path).code == 0
        assert offers(path)[0][::2] == (1, '{"views":2}')
    both = run("simulate", config, f"web.views={events}", f"web.views={other}", "--out", path)
    assert (both.code, offers(path)[0][::2]) == (0, (0, '{"views":2}'))
    mixed = run("simulate", config, f"web.views={events}", f"web.orders={other}", "--out", path)
    assert (mixed.code, offers(path)[0][::2]) == (0, (1, '{"views":2}'))
    assert run("simulate", *SHOP, "--table", "web.orders").code == 2  # one or the other


def test_a_table_the_config_does_not_name(run: Run, config: Path, events: Path) -> None:
    done = run("simulate", config, events, "--table", "web.view")
    assert done.code == 0
    assert 'warning: no key event names the table "web.view" (did you mean "web.views"?)\n' in done.err


# Bad input


def test_bad_rows_are_counted_and_stop_nothing(run: Run, config: Path, events: Path, tmp_path: Path) -> None:
    """One line on stderr for each reason, with the rows' numbers and without their values."""
    path = tmp_path / "offers.jsonl"
    run("simulate", config, events, "--out", path)
    good = offers(path)
    events.write_text(events.read_text() + "c,s3cr3t,\nd,,\ne,s3cr3t,\n")
    done = run("simulate", config, events, "--out", path)
    assert (done.code, offers(path)) == (0, good)
    assert done.err == (
        "warning: 2 bad rows (rows 5, 7): time: "
        "expected epoch seconds or ISO 8601 text, got text of another form\n"
        "warning: 1 bad row (row 6): time: expected a time, got none, and no `now` was given\n"
    )
    assert "3 bad rows of 8\n" in done.out
    assert "s3cr3t" not in done.out + done.err


def test_strict_ends_at_the_first_bad_row(run: Run, config: Path, events: Path, tmp_path: Path) -> None:
    path = tmp_path / "offers.jsonl"
    path.write_text("old")
    events.write_text(events.read_text() + "c,s3cr3t,\n")
    done = run("simulate", config, events, "--strict", "--out", path)
    assert (done.code, done.out, path.read_text()) == (1, "", "old")
    assert done.err == (
        f"error: {events}, event 5: time: expected epoch seconds or ISO 8601 text, got text of another form; "
        "nothing was written\n"
    )


def test_a_missing_column(run: Run, config: Path, events: Path) -> None:
    events.write_text("id,tme\na,1\n")
    done = run("simulate", config, events)
    assert (done.code, done.out) == (2, "")
    assert done.err == f'error: {events}: expected a column "time", got none (did you mean "tme"?)\n'


def test_events_without_an_identifier_are_said_loudly(run: Run, config: Path, events: Path) -> None:
    events.write_text("ID,time\na,1\nb,2\n")
    done = run("simulate", config, events)
    assert done.code == 0
    assert "2 of 2 events without a usable identifier\n" in done.out
    assert done.err.startswith("warning: 2 of 2 events carry no usable identifier")
    assert 'did you mean "ID"?' in done.err


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("no.csv", None, "can't be read: No such file or directory"),
        ("events.txt", b"", "expected a file name that ends in one of"),
        ("events.csv.gz", b"id,time", "expected a whole file compressed with gz"),
        ("events.parquet", b"id,time", "expected a parquet file"),
        ("events.json", b"[1,", "expected a JSON array of events"),
    ],
)
def test_files_that_cannot_be_read(
    run: Run, config: Path, tmp_path: Path, name: str, content: bytes | None, error: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = run("simulate", config, path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {path}: {error}")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--out", "offers.xls"], "error: offers.xls: expected a file name that ends in one of"),
        (["--attributes", "no/such/a.csv"], "error: no/such/a.csv: there is no such folder"),
        (["--summary", "no/such/a.json"], "error: no/such/a.json: there is no such folder"),
        (["--batch", "no.csv"], "error: no.csv: can't be read: No such file or directory"),
        (["--limit", "-1"], "error: limit: expected a number of events"),
        (["--since", "soon"], "usage: "),
        (
            ["--engine", "columnar", "--state", "shop.state"],
            "error: engine: this run can't be columnar: it begins with a snapshot",
        ),
    ],
)
def test_arguments_that_cannot_be_met(
    run: Run, config: Path, events: Path, options: list[str], error: str
) -> None:
    """They are found before the replay, not after it."""
    done = run("simulate", config, events, *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)
    assert "Traceback" not in done.err


def test_without_the_extra(run: Run, config: Path, events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("polars", "rich"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, library, None)
            done = run("simulate", config, events)
        assert (done.code, done.out) == (2, "")
        assert done.err == f'error: simulate needs {library}: pip install "reactor-engine[replay]"\n'


def test_an_interrupt_leaves_no_file(config: Path, tmp_path: Path) -> None:
    """Exit 130, no output and no part of one."""
    events = tmp_path / "events.jsonl"
    line = '{"id": "%d", "time": %d}\n'
    events.write_text("".join(line % (n % 1000, n) for n in range(300_000)))
    before = set(tmp_path.iterdir())
    options = ["--out", str(tmp_path / "offers.csv"), "--attributes", str(tmp_path / "attributes.csv")]
    command = [sys.executable, "-m", "reactor.cli", "simulate", str(config), str(events), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        # Its CPU time tells when it is past its imports and at work.
        while _cpu_seconds(process.pid) < 1.5 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")
    assert set(tmp_path.iterdir()) == before


def _write_half(frame: object, stream: IO[bytes], **options: object) -> None:
    """Write a part of a table, and be interrupted."""
    stream.write(b"event,table")
    stream.flush()
    _interrupt()


def _interrupt(*arguments: object, **options: object) -> None:
    """Be interrupted, as by a person at the keyboard."""
    signal.raise_signal(signal.SIGINT)


MOMENTS = {
    "reading": "reactor.frames.rows.FrameRows.take",
    "planning": "reactor.replay.history.History._planned",
    "replaying by columns": "reactor.replay.columns.passes.ColumnarPass._run",
    "replaying live": "reactor.replay.live.LivePass._process",
    "summing up": "reactor.replay.summary.summarize",
    "comparing": "reactor.replay.comparison.differences",
    "explaining": "reactor.engine.Reactor.explain",
    "drawing": "reactor.report.charts._render",
    "half-way through a file": "polars.DataFrame.write_csv",
}


@pytest.mark.parametrize("command", ["simulate", "compare"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupt_at_any_moment(
    run: Run,
    config: Path,
    events: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    moment: str,
) -> None:
    """Exit 130; what an output held before is still there, and no part of a new one."""
    other = tmp_path / "other.yaml"
    other.write_text(config.read_text().replace("views >= 2", "views >= 1"))
    out = tmp_path / "out.csv"
    out.write_text("old")
    inputs = [config, events] if command == "simulate" else [config, other, events]
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    module, _, name = MOMENTS[moment].rpartition(".")
    monkeypatch.setattr(f"{module}.{name}", _write_half if name == "write_csv" else _interrupt)
    engine = "live" if moment == "replaying live" else "auto"
    done = run(command, *inputs, "--engine", engine, "--out", out, "--report", tmp_path / "report.html")
    if command == "simulate" and moment in ("comparing", "explaining"):
        assert (done.code, done.err) == (0, "")
        return
    assert (done.code, done.out) == (130, "")
    assert done.err.endswith("interrupted\n")
    left = {path: path.read_bytes() for path in tmp_path.iterdir()}
    left.pop(tmp_path / "report.html", None)  # written whole, before the table
    assert left == before


def _cpu_seconds(pid: int) -> float:
    path = Path(f"/proc/{pid}/stat")
    if not path.exists():
        pytest.skip("needs /proc to see that the replay has begun")
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_progress_is_for_a_terminal_only(config: Path, events: Path) -> None:
    """On stderr, while stdout carries data; where stderr is no terminal, nothing (see the tests above)."""
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "reactor.cli", "simulate", str(config), str(events)]
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        out = process.stdout.read() if process.stdout else b""
    os.close(ours)
    assert process.returncode == 0
    assert b"Reading" in shown
    assert b"Replaying" in shown
    assert str(RateColumn().render(SimpleNamespace(finished_speed=None, speed=1234.6))) == "1,235/s"  # type: ignore[arg-type]
    assert str(RateColumn().render(SimpleNamespace(finished_speed=None, speed=None))) == ""  # type: ignore[arg-type]
    assert b"Reading" not in out
    assert b"\x1b" not in out
    assert out.startswith(b"shop: 5 events")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other side is closed
        return b""
