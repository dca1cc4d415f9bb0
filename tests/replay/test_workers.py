"""A replay by several processes gives what one gives, to the byte, and cleans up (law L6)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reactor
from reactor import ReactorError, simulate
from reactor.cli.app import main
from reactor.frames.writing import write_frame
from reactor.replay import Options, bucket, pieced
from reactor.replay.pieced import PiecedReplay, sizes_of

from .pieces import CUTS, EVENTS, JOINING, ROWS, assert_same, sizes, whole, write_lines
from .shop import CONFIG, VIEWS, order, view
from .split import Here, check

SMALL = sizes(7, 3, 500)


def by_workers(events: Any, options: Options, rows: Any, cut: Any, workers: int) -> Any:
    """Replay by processes, with every table."""
    replay = PiecedReplay(JOINING, events, options, batch=rows, sizes=cut, workers=workers)
    try:
        return replay.run(attributes=True, attributes_before=True, profiles=True)
    finally:
        replay.close()


@given(EVENTS, ROWS, CUTS, st.sampled_from([(1, 1), (7, 3), (1000, 5)]), st.sampled_from(["rows", "file"]))
@settings(max_examples=12)
def test_what_is_handed_over_is_the_whole(
    events: list[Any], rows: Any, cuts: Any, size: tuple[int, int], form: str
) -> None:
    """Would catch a value that changes on its way to another process or back, a row in another's place."""
    chosen = Options(table_column="table", audience="private", **cuts)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(pieced, "Workers", Here)
        source: Any = write_lines(Path(folder, "a.jsonl"), events) if form == "file" else events
        found = by_workers(source, chosen, rows, sizes(size[0], size[1], 500), 2)
        assert_same(whole(JOINING, source, chosen, rows), found, warnings=False)


@pytest.mark.parametrize("number", range(2))
def test_drawn_configs_in_parts(number: int) -> None:
    """As the long search: configs of every kind, in pieces and handed over."""
    assert check(f"parts/{number}", 1 + number % 2) == 3


@pytest.mark.parametrize("workers", [2, 3])
def test_processes_give_the_rows_of_one(tmp_path: Path, workers: int) -> None:
    """Files, frames and mappings, with batch rows; held at once, and in pieces."""
    views = pl.DataFrame([view(f"c{n % 5}", n % 9, "/é", mail=f"X{n % 3}@") for n in range(40)])
    views.write_csv(tmp_path / "a.csv")
    write_frame(views, tmp_path / "b.parquet")
    orders = [order("", n % 9, 5.5, cookie=f"c{n % 7}", tags=["x", None]) for n in range(20)]
    events = {
        "web.views": [str(tmp_path / "a.csv"), views.lazy(), str(tmp_path / "b.parquet")],
        "web.orders": write_lines(tmp_path / "c.jsonl", [*orders, {"ordered_at": "soon"}]),
        "web.more": orders,
    }
    rows = [{"email": "x1@", "tier": "gold", "segments": ["7"], "time": 86_400}]
    options = Options(audience="private")
    cut = SMALL if workers == 2 else sizes_of(None, workers)
    found = by_workers(events, options, rows, cut, workers)
    assert_same(whole(JOINING, events, options, rows), found, warnings=workers == 3)


def test_the_commands_files_are_the_same(tmp_path: Path) -> None:
    """Every file that `simulate` writes, byte for byte."""
    shop = Path("docs/examples/retail")
    lines = (shop / "orders.csv.gz", "--batch", shop / "loyalty.csv", "--limit", "1000")
    for count in (1, 2):
        tables = {"out": "parquet", "attributes": "csv", "profiles": "jsonl", "summary": "json"}
        asked = [f"--{name}={tmp_path}/{name}-{count}.{ending}" for name, ending in tables.items()]
        assert (
            main(["simulate", *map(str, (shop / "reactor.yaml", *lines, *asked)), f"--workers={count}"]) == 0
        )
    for name, ending in tables.items():
        one, other = (tmp_path / f"{name}-{count}.{ending}" for count in (1, 2))
        assert one.read_bytes() == other.read_bytes(), name


def test_a_process_that_is_killed_ends_the_replay(monkeypatch: Any, tmp_path: Path) -> None:
    """With what happened, and nothing left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    replay = PiecedReplay(CONFIG, VIEWS, Options("web.views"), sizes=SMALL, workers=2)
    assert replay._workers is not None
    for process in replay._workers._processes:
        process.kill()
    with pytest.raises(ReactorError) as error:
        replay.run()
    assert str(error.value) == (
        "workers: expected an answer of a process that replays a part, but it was ended by signal 9;"
        " if memory ran out, take fewer workers, or a size for `memory`"
    )
    replay.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_all(tmp_path: Path) -> None:
    """The command's exit code; no file, no folder, no process is left."""
    events = write_lines(tmp_path / "a.jsonl", [view(f"c{n % 900}", n / 9000) for n in range(30_000)])
    config = tmp_path / "shop.json"
    config.write_text(json.dumps(CONFIG))
    (tmp_path / "tmp").mkdir()
    command = ["simulate", config, f"web.views={events}", "--workers=2", "--engine=live"]
    command += [f"--out={tmp_path}/offers.csv"]
    process = subprocess.Popen(
        [sys.executable, "-m", "reactor.cli", *map(str, command)],
        env={
            **os.environ,
            "TMPDIR": str(tmp_path / "tmp"),
            "PYTHONPATH": str(Path(reactor.__file__).parents[1]),
        },
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not (begun := list((tmp_path / "tmp").glob("*/bucket-0.bin"))) and process.poll() is None:
        time.sleep(0.02)
    children = _children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert begun
    assert (process.returncode, said) == (130, b"interrupted\n")
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "offers.csv").exists()
    assert len(children) == 2
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def _children(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@pytest.mark.parametrize("workers", [0, True, "2"])
def test_the_number_is_checked(workers: Any) -> None:
    """A whole number from 1."""
    with pytest.raises(ReactorError) as error:
        simulate(CONFIG, VIEWS, table="web.views", workers=workers)
    assert str(error.value) == "workers: expected a number of processes, at least 1, got something else"


def test_what_spans_profiles_is_refused() -> None:
    """With the reason; and a size that is too small for so many."""
    with pytest.raises(
        ReactorError, match=r"^workers: expected a config without limits\.profiles: who leaves"
    ):
        simulate({**CONFIG, "limits": {"profiles": 5}}, VIEWS, table="web.views", workers=2)
    with pytest.raises(ReactorError) as error:
        sizes_of("500MB", 2)
    assert str(error.value) == (
        'memory: expected a size such as "2GB", at least 1000MB for 2 workers, got less'
    )


def test_values_that_cant_be_handed_over() -> None:
    """A mapping may hold anything; what another process can't be given is said."""
    with pytest.raises(ReactorError, match=r"^workers: expected events whose values can be handed"):
        simulate(CONFIG, [view("a", 1, odd=lambda: None)], table="web.views", workers=2)


def test_numbers_stand_in_front() -> None:
    """In a column called like no other, whatever the others are called."""
    frame = pl.DataFrame({"": [1], "__": [2]})
    assert bucket.numbered(frame, pl.Series([7]).to_numpy()).rows(named=True) == [{"___": 7, "": 1, "__": 2}]
