"""The fast way through CSV gives what the careful one gives, or is not taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor.frames import delimited
from reactor.frames.rows import FrameRows, Row
from reactor.frames.wellformed import is_wellformed

FIELDS = st.text(st.sampled_from("ab1 ,\"\n\ré\u2028\ufeff#\\'\x00"), max_size=6)
RAW = st.lists(
    st.sampled_from([b"a", b"b", b",", b'"', b"\n", b"\r\n", b"\r", b" ", b"\xc3\xa9", b"\xff"])
).map(b"".join)


def every(rows: FrameRows) -> list[Row]:
    """Return all rows in their own order."""
    return list(rows.take(range(len(rows))))


def slowly(content: bytes) -> list[Row]:
    """Read with the careful reader alone."""
    records = delimited._records(delimited._reader(content))
    names = delimited._header(next(records, None), "a.csv")
    return [row for piece in delimited._read_slow(records, names, 7) for row in every(piece)]


def quoted(field: str, always: bool) -> str:
    """Write a field as RFC 4180 has it."""
    return f'"{field.replace(chr(34), chr(34) * 2)}"' if always or set(field) & set(',"\n\r') else field


@given(st.lists(st.lists(FIELDS, min_size=3, max_size=3)), st.sampled_from(["\n", "\r\n"]), st.booleans())
@settings(max_examples=300)
def test_what_is_written_well_is_read_alike(rows: list[list[str]], end: str, always: bool) -> None:
    """Any fields, quoted where need be or always. Would catch an empty field or a line end misread."""
    lines = [",".join(quoted(field, always) for field in row) for row in [["x", "y", "z"], *rows]]
    content = "".join(line + end for line in lines).encode()
    expected = [{n: v for n, v in zip("xyz", row, strict=True) if v} for row in rows]
    assert slowly(content) == expected
    assert every(delimited.read_csv(content, "a.csv")) == expected


@given(RAW)
@example(b'"a",b\r\n"",""\r\n')
@example(b'a,b\n"a""b",\n')
@example(b'a,b\n""a,b\n')
@example(b'a,b\na"b,"\n')
@settings(max_examples=500)
def test_whatever_the_bytes_both_ways_agree(content: bytes) -> None:
    """Would catch a malformed file that the scan lets through to the fast reader."""
    content = b"x,y\n" + content
    assert every(delimited.read_csv(content, "a.csv")) == slowly(content)


@pytest.mark.parametrize(
    "content",
    [
        b"x,y\n1\n",  # a field missing
        b"x,y\n1,2,3\n",  # one too many
        b"x,y\n\n1,2\n",  # a blank line
        b'x,y\n1"2,3\n',  # a quote inside a bare field
        b'x,y\n"1"2,3\n',  # text behind a closing quote
        b'x,y\n"1,2\n',  # a quote that never closes
        b"x,y\r1,2\r",  # old line ends
        b"x,y\n1," + b"2" * 140_000 + b"\n",  # a field the careful reader refuses
        b"",
    ],
)
def test_what_is_not_clean_is_left_to_the_careful_reader(content: bytes) -> None:
    assert not is_wellformed(content, 2)


@pytest.mark.parametrize(
    "content", [b"x,y\n1,2\n", b"x,y\r\n1,2", b'x,y\n"a ""b"", c\n",2\n', b'"x","y"\n"",\n']
)
def test_what_is_clean_is_read_fast(content: bytes) -> None:
    assert is_wellformed(content, 2)
    assert delimited._read_fast(content, ["x", "y"]) is not None


def test_the_fast_reader_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "_read_slow", lambda *_: pytest.fail("the careful reader was used"))
    assert every(delimited.read_csv(b"\xef\xbb\xbfx,y\n1,\n", "a.csv")) == [{"x": "1"}]
