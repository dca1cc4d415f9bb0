"""Rows of files and tables: what a column's type becomes, and what happens to what can't be read."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from reactor.errors import EventError, ReactorError
from reactor.frames import BadRow, MissingExtraError, Row, Rows, rows_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KEYS = frozenset({"customer"})


def every(rows: Rows) -> list[Row]:
    """Return all rows in their own order."""
    return list(rows.take(range(len(rows))))


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    """Give a function that writes a file of this name and content."""

    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


File = Callable[[str, "bytes | str"], Path]


# ---- CSV


def test_csv_is_text_and_an_empty_field_is_absent(file: File) -> None:
    rows = rows_of(file("a.csv", 'customer,paid,note\n0012,1.50,""\n,2,"a, ""b""\nc"\n'), keys=KEYS)
    assert rows.columns == ("customer", "paid", "note")
    assert every(rows) == [{"customer": "0012", "paid": "1.50"}, {"paid": "2", "note": 'a, "b"\nc'}]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_csv_line_ends_byte_order_mark_and_blank_lines(file: File, end: str, mark: bytes) -> None:
    text = end.join(["id,x", "a,é", "", "b,2"])
    assert every(rows_of(file("a.csv", mark + text.encode()))) == [
        {"id": "a", "x": "é"},
        {"id": "b", "x": "2"},
    ]


def test_a_bad_csv_row_keeps_its_number_and_harms_no_other(file: File) -> None:
    content = b'id,x\na,1\nb\nc,3,4\nd,\xff\n"e"e,5\nf,6\n"g,7\n'
    assert every(rows_of(file("a.csv", content))) == [
        {"id": "a", "x": "1"},
        BadRow("$", "expected 2 fields, as in the header, got 1"),
        BadRow("$", "expected 2 fields, as in the header, got 3"),
        BadRow("$", "expected text in UTF-8"),
        BadRow("$", "expected quotes as in RFC 4180, and fields of at most 131,072 characters"),
        {"id": "f", "x": "6"},
        BadRow("$", "expected quotes as in RFC 4180, and fields of at most 131,072 characters"),
    ]


def test_csv_longer_than_a_block(file: File) -> None:
    """Blocks join without losing or doubling a row, also where one of the rows is bad."""
    lines = [f"{number},x" for number in range(120_000)]
    lines[70_000] = "70000"
    rows = rows_of(file("a.csv", "id,x\n" + "\n".join(lines)))
    assert len(rows) == 120_000
    assert list(rows.take([119_999, 70_000, 0, 50_000])) == [
        {"id": "119999", "x": "x"},
        BadRow("$", "expected 2 fields, as in the header, got 1"),
        {"id": "0", "x": "x"},
        {"id": "50000", "x": "x"},
    ]
    assert sum(isinstance(row, BadRow) for row in every(rows)) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "expected CSV with a header, got an empty file"),
        (b"a,b,a\n1,2,3\n", 'expected a header that names each column once, got "a" twice'),
        (b"PK\x03\x04\xff\xfe\x00", "expected CSV with a header in UTF-8, got something else"),
        (b'"a"b,c\n1,2\n', "expected CSV with a header in UTF-8, got something else"),
    ],
)
def test_a_csv_header_that_cannot_be_used(file: File, content: bytes, reason: str) -> None:
    path = file("a.csv", content)
    with pytest.raises(EventError) as caught:
        rows_of(path)
    assert (caught.value.path, caught.value.reason) == (str(path), reason)
    assert caught.value.__context__ is None


def test_csv_with_a_header_only(file: File) -> None:
    rows = rows_of(file("a.csv", "id,x\n"))
    assert (len(rows), rows.columns, every(rows)) == (0, ("id", "x"), [])


# ---- JSON


def test_json_lines_are_taken_as_sent(file: File) -> None:
    path = file(
        "a.jsonl", b'\xef\xbb\xbf{"customer": 12, "x": null, "y": [1, {"z": 2}]}\n\n{"x": 1, "x": 2}\r\n'
    )
    rows = rows_of(path, keys=KEYS)
    assert rows.columns is None
    assert every(rows) == [{"customer": 12, "x": None, "y": [1, {"z": 2}]}, {"x": 2}]


def test_a_bad_json_line_keeps_its_number(file: File) -> None:
    path = file("a.ndjson", '{"x": 1}\n{"x": \n[1]\n"a secret"\n{"x": "' + "a" * 100 + '"}\n{"x": 2}')
    assert every(rows_of(path, most_bytes=100)) == [
        {"x": 1},
        BadRow("$", "expected a JSON object, got malformed JSON at line 1, column 7"),
        BadRow("$", "expected an object, got a list"),
        BadRow("$", "expected an object, got text"),
        BadRow("$", "expected at most 100 bytes, got 109"),
        {"x": 2},
    ]


@pytest.mark.parametrize(
    "content",
    [
        '[{"x": 1}, {"x": 2}]',
        '{"x": 1}\n{"x": 2}',
        ' [\n{"x":\n1},{"x": 2}\n]\n',
        '\ufeff{"x": 1}\n{"x": 2}\n',
    ],
)
def test_json_is_an_array_or_lines(file: File, content: str) -> None:
    assert every(rows_of(file("a.json", content))) == [{"x": 1}, {"x": 2}]


def test_json_is_one_object_over_several_lines(file: File) -> None:
    assert every(rows_of(file("a.json", '{\n  "x": 1\n}\n'))) == [{"x": 1}]


@pytest.mark.parametrize("content", ["", "[1, 2", "7", "[1]]"])
def test_json_that_is_neither(file: File, content: str) -> None:
    path = file("a.json", content)
    with pytest.raises(EventError) as caught:
        rows_of(path)
    assert str(caught.value) == f"{path}: expected a JSON array of events, or an event a line; got neither"
    assert caught.value.__context__ is None


# ---- tables

NOON = datetime(2011, 3, 1, 12, 0, 0, 500_000)


def table() -> pl.DataFrame:
    """Return a frame with a column of every type that matters."""
    return pl.DataFrame(
        {
            "customer": [12346, None],
            "number": [12346, None],
            "paid": [float("nan"), 1.5],
            "price": [Decimal("2.50"), None],
            "day": [date(2011, 3, 1), None],
            "at": [NOON, None],
            "zoned": [NOON.replace(tzinfo=UTC), None],
            "kind": pl.Series(["a", None], dtype=pl.Categorical),
            "tags": [["x", "y"], None],
            "gift": [True, False],
        }
    )


PLAIN = [
    {
        "customer": "12346",
        "number": 12346,
        "price": 2.5,
        "day": "2011-03-01",
        "at": "2011-03-01T12:00:00.500",
        "zoned": "2011-03-01T12:00:00.500Z",
        "kind": "a",
        "tags": ["x", "y"],
        "gift": True,
    },
    {"paid": 1.5, "gift": False},
]


def test_a_polars_frame_is_made_plain() -> None:
    assert every(rows_of(table(), keys=KEYS)) == PLAIN
    assert every(rows_of(table().lazy(), keys=KEYS)) == PLAIN


def test_an_arrow_table_is_made_plain() -> None:
    assert every(rows_of(table().to_arrow(), keys=KEYS)) == PLAIN
    assert every(rows_of(pa.table({"customer": pa.array([7], pa.uint8())}), keys=KEYS)) == [{"customer": "7"}]


def test_parquet_is_made_plain(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table().write_parquet(path)
    assert every(rows_of(path, keys=KEYS)) == PLAIN


def test_a_pandas_frame_is_made_plain() -> None:
    frame = pd.DataFrame(
        {
            "customer": pd.array([12346, None], dtype="Int64"),
            "number": [1, 2],
            "paid": [float("nan"), 1.5],
            "price": [Decimal("2.50"), None],
            "at": [pd.Timestamp(NOON), pd.NaT],
            "zoned": [pd.Timestamp(NOON, tz="Europe/London"), pd.NaT],
            "name": ["a", None],
        },
        index=[5, 5],
    )
    assert every(rows_of(frame, keys=KEYS)) == [
        {
            "customer": "12346",
            "number": 1,
            "price": 2.5,
            "at": "2011-03-01T12:00:00.500000",
            "zoned": "2011-03-01T12:00:00.500000+00:00",
            "name": "a",
        },
        {"number": 2, "paid": 1.5},
    ]
    assert all(
        type(value).__module__ == "builtins" for row in every(rows_of(frame)) for value in row.values()
    )


@pytest.mark.parametrize(
    ("events", "got"),
    [
        (pl.DataFrame({"customer": [12346.0]}), "float64"),
        (pl.DataFrame({"customer": [Decimal("1.50")]}), "decimal(precision=38, scale=2)"),
        (pd.DataFrame({"customer": [12346, None]}), "float"),
    ],
)
def test_a_key_of_floats_is_an_error_with_a_hint(events: object, got: str) -> None:
    with pytest.raises(EventError) as caught:
        rows_of(events, keys=KEYS)  # type: ignore[arg-type]
    assert caught.value.path == "customer"
    assert caught.value.reason.startswith(
        f"expected text or whole numbers in events, as this column is a stitching key, got {got}; "
    )
    assert "12346" not in str(caught.value)


def test_whole_decimals_are_identifiers() -> None:
    frame = pl.DataFrame({"customer": [Decimal(12346)]}, schema={"customer": pl.Decimal(10, 0)})
    assert every(rows_of(frame, keys=KEYS)) == [{"customer": "12346"}]


def test_rows_are_taken_in_any_order() -> None:
    frame = pl.DataFrame({"x": list(range(30_000))})
    numbers = [29_999, 0, 12_345, 0]
    for rows in (rows_of(frame), rows_of(frame.to_pandas()), rows_of(frame.to_dicts())):
        assert list(rows.take(numbers)) == [{"x": number} for number in numbers]
        assert [row["x"] for row in every(rows) if not isinstance(row, BadRow)] == list(range(30_000))


# ---- mappings


def test_mappings_and_json_bytes() -> None:
    events = [{"customer": 12, "x": None}, b'{"x": 1}', [1], {1: 2}]
    assert every(rows_of(iter(events), keys=KEYS)) == [  # type: ignore[arg-type]
        {"customer": 12, "x": None},
        {"x": 1},
        BadRow("$", "expected an object, got a list"),
        BadRow("$", "expected text as the name of a column, got a number"),
    ]


@pytest.mark.parametrize(("events", "got"), [({"x": 1}, "dict"), (b'{"x": 1}', "bytes"), (7, "int")])
def test_what_is_no_source_is_refused(events: object, got: str) -> None:
    with pytest.raises(ReactorError) as caught:
        rows_of(events)  # type: ignore[arg-type]
    assert str(caught.value) == f"events: expected a path, a table or an iterable of mappings, got one {got}"


# ---- files


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "parquet"])
@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_compressed_files(file: File, ending: str, compression: str) -> None:
    if ending == "parquet":
        pl.DataFrame({"x": ["1"]}).write_parquet(file("plain", b""))
        content = file("plain2", b"").with_name("plain").read_bytes()
    else:
        content = {"csv": b"x\n1\n", "jsonl": b'{"x": "1"}\n', "json": b'[{"x": "1"}]'}[ending]
    packed = gzip.compress(content) if compression == "gz" else zstd.compress(content)
    assert every(rows_of(file(f"a.{ending}.{compression}", packed))) == [{"x": "1"}]
    broken = file(f"b.{ending}.{compression}", packed[: len(packed) // 2])
    with pytest.raises(EventError) as caught:
        rows_of(broken)
    assert str(caught.value) == (
        f"{broken}: expected a whole file compressed with {compression}, got something else or a part of one"
    )
    assert caught.value.__context__ is None


def test_what_is_not_compressed_says_so(file: File) -> None:
    with pytest.raises(EventError, match="expected a whole file compressed with gz,"):
        rows_of(file("a.csv.gz", "x\n1\n"))
    with pytest.raises(EventError, match="expected a whole file compressed with zst,"):
        rows_of(file("a.csv.zst", "x\n1\n"))


def test_a_damaged_parquet_file(file: File) -> None:
    path = file("a.parquet", json.dumps({"a": "secret"}))
    with pytest.raises(EventError) as caught:
        rows_of(path)
    assert str(caught.value) == f"{path}: expected a parquet file, got something else or a part of one"
    assert caught.value.__context__ is None


def test_files_that_are_missing_or_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(EventError) as caught:
        rows_of(tmp_path / "none.csv")
    assert str(caught.value) == f"{tmp_path / 'none.csv'}: can't be read: No such file or directory"
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(EventError) as caught:
        rows_of(folder)
    assert str(caught.value) == f"{folder}: can't be read: Is a directory"
    with pytest.raises(EventError) as caught:
        rows_of("orders.xlsx")
    assert str(caught.value) == (
        "orders.xlsx: expected a file name that ends in one of"
        ' .csv .jsonl .ndjson .json .parquet, also with .gz or .zst; got ".xlsx"'
    )
    with pytest.raises(EventError, match=r"with \.gz or \.zst; got none$"):
        rows_of("orders")


def test_the_missing_extra_says_how_to_install_it(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    path = file("a.csv", "x\n1\n")
    with pytest.raises(MissingExtraError) as caught:
        rows_of(path)
    assert str(caught.value) == f'{path}: reading csv needs polars: pip install "reactor-engine[replay]"'
    assert isinstance(caught.value, ReactorError)
    assert every(rows_of(file("a.jsonl", '{"x": 1}'))) == [{"x": 1}]
