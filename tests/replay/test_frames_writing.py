"""Tables as files: the same rows in every format, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from reactor.errors import EventError
from reactor.frames import replacing
from reactor.frames.writing import write_frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FRAME = pl.DataFrame(
    {
        "event": [0, 1],
        "time": pl.Series(
            [datetime(2011, 3, 1, 10, 0, 0, 500_000, UTC), None], dtype=pl.Datetime("ms", "UTC")
        ),
        "rid": ["a", None],
        "redacted": [True, False],
        "spent": [15.0, 0.1],
        "names": [["x", 'y"'], None],
        "attributes": ['{"a":1}', ""],
    }
)
CSV = (
    "event,time,rid,redacted,spent,names,attributes\n"
    '0,2011-03-01T10:00:00.500Z,a,true,15.0,"[""x"",""y\\""""]","{""a"":1}"\n'
    '1,,,false,0.1,,""\n'
)
ROWS = [
    {
        "event": 0,
        "time": "2011-03-01T10:00:00.500Z",
        "rid": "a",
        "redacted": True,
        "spent": 15.0,
        "names": ["x", 'y"'],
        "attributes": '{"a":1}',
    },
    {"event": 1, "time": None, "rid": None, "redacted": False, "spent": 0.1, "names": None, "attributes": ""},
]


def unpacked(path: Path) -> bytes:
    """Return the content of a file, decompressed by its ending."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(content)
    return zstd.decompress(content) if path.suffix == ".zst" else content


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
def test_every_format(tmp_path: Path, compression: str) -> None:
    for ending in ("csv", "jsonl", "ndjson", "json", "parquet"):
        path = tmp_path / f"a.{ending}{compression}"
        write_frame(FRAME, path)
        content = unpacked(path)
        if ending == "csv":
            assert content.decode() == CSV
        elif ending == "json":
            assert json.loads(content) == ROWS
        elif ending == "parquet":
            assert pl.read_parquet(content).equals(FRAME)
        else:
            assert [json.loads(line) for line in content.splitlines()] == ROWS
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"a.{ending}{compression}" for ending in ("csv", "jsonl", "ndjson", "json", "parquet")
    )


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_a_frame_without_rows(tmp_path: Path, name: str) -> None:
    write_frame(FRAME.clear(), tmp_path / name)
    expected = {"a.csv": CSV.partition("\n")[0] + "\n", "a.jsonl": "", "a.json": "[]"}[name]
    assert (tmp_path / name).read_text() == expected


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_the_same_frame_gives_the_same_bytes(tmp_path: Path, compression: str) -> None:
    write_frame(FRAME, tmp_path / f"a.csv.{compression}")
    write_frame(FRAME, tmp_path / f"b.csv.{compression}")
    assert (tmp_path / f"a.csv.{compression}").read_bytes() == (
        tmp_path / f"b.csv.{compression}"
    ).read_bytes()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as raw:
        raw.write(b"half of the n")
        raise error
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.csv", "old")]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    with replacing(tmp_path / "link.csv") as raw:
        raw.write(b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


def test_a_device_is_written_directly() -> None:
    with replacing("/dev/null") as raw:
        raw.write(b"gone")
    assert not Path("/dev/null").is_file()


def test_places_that_cannot_be_written_to(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "a.csv"
    with pytest.raises(EventError) as caught:
        write_frame(FRAME, missing)
    assert str(caught.value) == f"{missing}: can't be written: No such file or directory"
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(EventError, match=r"can't be written: Is a directory$"):
        write_frame(FRAME, folder)
    with pytest.raises(EventError, match="expected a file name that ends in one of"):
        write_frame(FRAME, tmp_path / "a.xls")
    assert list(folder.iterdir()) == []
