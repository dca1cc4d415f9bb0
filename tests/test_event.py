"""The door: what is an event, what is its time, and what is refused without a value in the text."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.errors import EventError, ReactorError
from reactor.event import as_event, decode, event_time, nested, time_between

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": 1e999}', {"a": float("inf")}),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        (b"{}", {}),
    ],
)
def test_what_is_an_event(body: object, expected: object) -> None:
    assert expected == as_event(body, 1_000)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[1]", "$: expected an object, got a list"),
        (b"null", "$: expected an object, got null"),
        (7, "$: expected an object, got a number"),
        (b"{", "$: expected a JSON object, got malformed JSON at line 1, column 2"),
        (b'{"a": NaN}', "$: expected a JSON object, got malformed JSON"),
        (b'{"secret": "x', "$: expected a JSON object, got malformed JSON at line 1, column 12"),
        (b'{"a": "\xff"}', "$: expected a JSON object, got bytes that are not UTF-8 at byte 7"),
        (b"[" * 900, "$: expected a JSON object, got malformed JSON at line 1, column 901"),
        (b'{"a": "' + b"x" * 1_000 + b'"}', "$: expected at most 1000 bytes, got 1009"),
        ('"' + "é" * 600 + '"', "$: expected at most 1000 bytes, got 1202"),
        ({1: 2}, "$: expected text as the name of a column, got a number"),
    ],
)
def test_what_is_refused(body: object, reason: str) -> None:
    with pytest.raises(EventError) as caught:
        as_event(body, 1_000)
    assert reason == str(caught.value)
    assert caught.value.__context__ is None


def test_json_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(EventError, match="nested too deeply"):
        decode(b"[" * 100_000, 1_000_000)


def test_numbers_beyond_64_bits_are_read_next_to_what_is_slow_to_read() -> None:
    assert {"a": 1e30, "b": float("-inf")} == decode(
        b'{"a": 1000000000000000000000000000000, "b": -1e999}', 99
    )


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        (0, None, 0),
        (1_700_000_000, None, 1_700_000_000_000),
        (1_700_000_000.0005, None, 1_700_000_000_000),
        (1.0015, None, 1_002),
        ("1700000000", None, 1_700_000_000_000),
        ("1700000000.25", None, 1_700_000_000_250),
        ("2017-03-01", None, 1_488_326_400_000),
        ("2017-03-01 10:00", None, 1_488_362_400_000),
        ("2017-03-01T10:00:00Z", None, 1_488_362_400_000),
        ("2017-03-01T10:00:00+05:30", None, 1_488_342_600_000),
        ("2017-03-01T10:00:00.123456789Z", None, 1_488_362_400_123),
        ("2017-03-01T10:00:00.0005Z", None, 1_488_362_400_000),
        ("2017-03-01T10:00:00.0015Z", None, 1_488_362_400_002),
        ("2017-07-01 10:00:00", LONDON, 1_498_899_600_000),
        ("2017-07-01T10:00:00Z", LONDON, 1_498_903_200_000),
        ("2017-10-29 01:30:00", LONDON, 1_509_237_000_000),  # twice: the earlier, in summer time
        ("2017-03-26 01:30:00", LONDON, 1_490_491_800_000),  # never: moved on by the gap, to 02:30
        (datetime(2017, 3, 1, 10, tzinfo=UTC), LONDON, 1_488_362_400_000),
        (datetime(2017, 7, 1, 10), LONDON, 1_498_899_600_000),
        (date(2017, 3, 1), None, 1_488_326_400_000),
    ],
)
def test_times(value: object, zone: ZoneInfo | None, expected: int) -> None:
    assert expected == event_time(value, "time", zone, None)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "time: expected a time, got none, and no `now` was given"),
        (True, "time: expected epoch seconds or ISO 8601 text, got a boolean"),
        ([1], "time: expected epoch seconds or ISO 8601 text, got a list"),
        ("yesterday", "time: expected epoch seconds or ISO 8601 text, got text of another form"),
        ("2017-02-30", "time: expected epoch seconds or ISO 8601 text, got text of another form"),
        ("2017-03-01T25:00:00", "time: expected epoch seconds or ISO 8601 text, got text of another form"),
        (-1, "time: expected a time between 1970 and 9999, in seconds, got one beyond"),
        ("1969-12-31", "time: expected a time between 1970 and 9999, in seconds, got one beyond"),
        (
            1_700_000_000_000,
            "time: expected a time between 1970 and 9999, in seconds, got one beyond: milliseconds?",
        ),
        (1e300, "time: expected a time between 1970 and 9999, in seconds, got one beyond"),
        (float("inf"), "time: expected a time, got none, and no `now` was given"),
    ],
)
def test_what_is_no_time(value: object, reason: str) -> None:
    with pytest.raises(EventError) as caught:
        event_time(value, "time", None, None)
    assert reason == str(caught.value)
    assert caught.value.__context__ is None


def test_an_event_without_a_time_takes_now() -> None:
    assert [5, 5] == [event_time(value, "time", None, 5) for value in (None, float("nan"))]


def test_nested_fields() -> None:
    event = {"page": {"path": "/a", "tags": ["x", None]}}
    paths = (("path",), ("tags",), ("path", "deeper"), ("none",))
    assert ["/a", ["x"], None, None] == [nested(event["page"], path, 100) for path in paths]


@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_only_a_reactor_error_comes_out(body: bytes | str) -> None:
    try:
        event = as_event(body, 50)
    except ReactorError as error:
        assert error.__context__ is None
    else:
        assert isinstance(event, dict)


def test_now_is_a_time_like_any_other() -> None:
    assert 1_488_362_400_000 == time_between("2017-03-01T10:00:00Z", "now")
    with pytest.raises(EventError, match="now: expected epoch seconds or ISO 8601 text, got an object"):
        time_between({}, "now")
