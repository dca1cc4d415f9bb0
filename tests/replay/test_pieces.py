"""A replay in pieces gives what a whole one gives, whatever the sizes (law L6), and cleans up."""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor import EventError, ReactorError, simulate
from reactor.frames.writing import write_frame, write_frames
from reactor.replay import Options, options
from reactor.replay.options import BadRowError
from reactor.replay.parts import Parts
from reactor.replay.pieced import PiecedReplay, sizes_of

from .pieces import CUTS, EVENTS, JOINING, ROWS, TABLES, assert_same, pieced, sizes, whole, write_lines
from .shop import CONFIG, VIEWS, order, view

SIZES = st.sampled_from([(1, 1), (7, 7), (7, 3), (1000, 7), (1000, 1000)])


@given(EVENTS, ROWS, CUTS, SIZES, st.booleans(), st.booleans())
@settings(max_examples=25)
def test_any_size_gives_the_rows_of_the_whole(
    events: list[Any], rows: Any, cuts: Any, size: tuple[int, int], is_file: bool, is_private: bool
) -> None:
    """Every table and the summary. Would catch a lost row, a profile cut in two, a wrong number."""
    chosen = Options(table_column="table", audience="private" if is_private else "public", **cuts)
    with tempfile.TemporaryDirectory() as folder:
        source: Any = write_lines(Path(folder, "a.jsonl"), events) if is_file else events
        expected = whole(JOINING, source, chosen, rows)
        found = pieced(JOINING, source, chosen, rows, sizes(size[0], size[1], 1 if size[0] == 1 else 500))
    assert_same(expected, found, warnings=size[1] == 1000)


@given(EVENTS, SIZES)
@settings(max_examples=8)
def test_idle_profiles_are_counted_alike(events: list[Any], size: tuple[int, int]) -> None:
    """Who has left by the end is told by the profile, not by what was swept. Would catch a count of rows."""
    config = {**JOINING, "limits": {"idle": "2d"}}
    chosen = Options(table_column="table")
    assert_same(
        whole(config, events, chosen), pieced(config, events, chosen, None, sizes(*size)), warnings=False
    )


def test_inputs_of_all_kinds_at_once(tmp_path: Path) -> None:
    """Files, compressed or not, and two tables: numbers go on from one to the next."""
    views = pl.DataFrame([*VIEWS, view("c", 3, "/z", email="x"), view("b", 3, email="x")])
    orders = [order("x", 4, 60), order("x", 5, 70.5), order("y", 2, 1), {"email": "q"}]
    views.write_csv(tmp_path / "a.csv")
    write_frame(views, tmp_path / "b.csv.gz")
    write_frame(views, tmp_path / "c.parquet")
    write_frame(views, tmp_path / "d.parquet.zst")
    write_frame(views, tmp_path / "e.json")
    write_lines(tmp_path / "f.jsonl", orders)
    events = {
        "web.views": [
            *(str(tmp_path / name) for name in ("a.csv", "b.csv.gz", "c.parquet", "d.parquet.zst"))
        ],
        "web.orders": str(tmp_path / "f.jsonl"),
        "web.more": str(tmp_path / "e.json"),
    }
    expected = whole(CONFIG, events, Options(audience="private"))
    assert expected.rejects.height == 1
    for rows in (1, 7, 1000):
        found = pieced(CONFIG, events, Options(audience="private"), None, sizes(rows, None, 40))
        assert_same(expected, found, warnings=rows == 1000)


def test_frames_and_mappings_are_held(tmp_path: Path) -> None:
    """What is in memory already is not put aside on disk."""
    frame = pl.DataFrame(VIEWS)
    found = pieced(CONFIG, {"web.views": frame}, Options(), None, sizes(2))
    assert_same(whole(CONFIG, {"web.views": frame}, Options()), found, warnings=False)


def test_strict_names_the_first_bad_row(tmp_path: Path) -> None:
    """The same error, with the same number, as in one piece."""
    path = write_lines(tmp_path / "a.jsonl", [*VIEWS, {"time": "soon"}, view("a", 1), {"time": "never"}])
    chosen = Options(table="web.views", strict=True)
    with pytest.raises(BadRowError) as one:
        whole(CONFIG, path, chosen)
    with pytest.raises(BadRowError) as other:
        pieced(CONFIG, path, chosen, None, sizes(2))
    assert str(one.value) == str(other.value) == f"{path}, event 3: time: {one.value.reason}"


def test_a_component_that_is_too_large_is_replayed_alone_and_said() -> None:
    """Ten events of one cookie can't be cut into pieces of three."""
    events = [view("a", day) for day in range(10)] + [view("b", 1), view("c", 2)]
    found = pieced(CONFIG, events, Options(table="web.views"), None, sizes(3))
    assert_same(whole(CONFIG, events, Options(table="web.views")), found, warnings=False)
    assert found.summary["warnings"] == [
        "one group of connected identifiers, the largest with 10 of 12 events, can't be cut into pieces of 3:"
        " what they need was not bounded; if that is over-stitching, name the shared values in `invalid:`, or"
        " make a key of a column that fewer people share"
    ]


@pytest.mark.parametrize(
    ("limits", "state", "expected"),
    [
        ({"profiles": 5}, None, "memory: expected a config without limits.profiles: who leaves"),
        ({}, "a.state", "memory: expected no state to go on from: a snapshot holds all profiles"),
    ],
)
def test_what_spans_profiles_is_refused(limits: dict[str, Any], state: str | None, expected: str) -> None:
    """With the reason."""
    with pytest.raises(ReactorError) as error:
        PiecedReplay({**CONFIG, "limits": limits}, VIEWS, Options("web.views", state=state), sizes=sizes(1))
    assert str(error.value).startswith(expected)


@pytest.mark.parametrize(
    ("memory", "got"), [("1MB", "less"), ("2 gigs", "something else"), (5, "something else")]
)
def test_a_size_is_checked(memory: Any, got: str) -> None:
    """At least what the libraries need by themselves."""
    with pytest.raises(ReactorError) as error:
        sizes_of(memory)
    assert str(error.value) == f'memory: expected a size such as "2GB", at least 400MB, got {got}'


def test_simulate_takes_a_size() -> None:
    """All tables of a run, from the same replay."""
    run = simulate(CONFIG, VIEWS, table="web.views", memory="1GB")
    other = simulate(CONFIG, VIEWS, table="web.views")
    assert run.offers.equals(other.offers)
    assert run.attributes.equals(other.attributes)
    assert run.profiles("1970-01-02").equals(other.profiles("1970-01-02"))
    assert run.summary() == other.summary()


def test_a_broken_file_is_found_before_anything_is_given(tmp_path: Path) -> None:
    """Also where the first pieces can be read."""
    path = tmp_path / "a.csv.gz"
    write_frame(pl.DataFrame(VIEWS * 500), path)
    path.write_bytes(path.read_bytes()[:-20])
    for read in (lambda: whole(CONFIG, str(path), Options("web.views")), lambda: cut(str(path))):
        with pytest.raises(EventError) as error:
            read()
        assert error.value.reason.startswith("expected a whole file compressed with gz, got something else")
        assert error.value.__cause__ is None
        assert error.value.__context__ is None


def cut(path: str) -> Any:
    """Replay a file in pieces of a few rows."""
    return pieced(CONFIG, path, Options("web.views"), None, sizes(10, None, 100))


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while reading nor while replaying."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = write_lines(tmp_path / "a.jsonl", [view("a", day) for day in range(10)])
    chosen = options(table="web.views")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PiecedReplay(CONFIG, path, chosen, sizes=sizes(2), progress=interrupt)
    replay = PiecedReplay(CONFIG, path, chosen, sizes=sizes(2))
    with pytest.raises(KeyboardInterrupt):
        replay.parted(progress=interrupt)
    replay.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "jsonl.zst", "json", "parquet", "parquet.gz"])
@pytest.mark.parametrize("count", [0, 5, 110_001])
def test_parts_are_written_as_the_whole(tmp_path: Path, ending: str, count: int) -> None:
    """Byte for byte, in the order of the key."""
    frame = pl.select(event=pl.int_range(count), text=pl.int_range(count).cast(pl.String) + "é\n")
    keys = [[str(event), "b"] if event % 3 else None if event % 2 else [] for event in range(count)]
    frame = frame.with_columns(
        pl.Series("keys", keys, dtype=pl.List(pl.String)),
        at=(pl.col("event") * 1000).cast(pl.Datetime("ms", "UTC")),
    )
    parts = Parts(tmp_path, "offers", "event", 3_000)
    for rest in range(3):
        parts.add(frame.filter(pl.col("event").hash(1) % 3 == rest))
    write_frame(frame, tmp_path / f"whole.{ending}")
    write_frames(parts.frames(), tmp_path / f"parts.{ending}")
    assert digest(tmp_path / f"whole.{ending}") == digest(tmp_path / f"parts.{ending}")
    assert parts.height == count
    assert max(map(len, parts.frames())) <= 3_000 + 3 * 500


def digest(path: Path) -> str:
    """Return the digest of a file: a difference of megabytes is not to be printed."""
    return sha256(path.read_bytes()).hexdigest()


def test_every_table_is_compared() -> None:
    """No table of results is left out above."""
    from reactor.replay import Results

    assert set(TABLES) == set(Results.__struct_fields__) - {"summary"}
