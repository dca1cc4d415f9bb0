"""Values, numbers and times as the engine reads them and as the reference does, written apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st
from side_by_side import typed

from reactor import units, values
from reactor.attributes.kind import scaled, to_dtype
from reactor.testing import reference_values as reference

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([2**53, 2**53 + 1, -(2**63), 2**63 - 1, 2**63, 10**12, 10**12 + 1, 10**400]),
    st.floats(),
    st.floats(-1e6, 1e6).map(lambda number: round(number, 7)),
    st.text(max_size=12),
    st.text(st.characters(categories=["Cs", "Lu", "Nd"]), max_size=4),
    st.from_regex(r"[+-]?(\d{0,20}(\.\d{0,3})?)([eE][+-]?\d{1,3})?", fullmatch=True),
    st.sampled_from(
        ["true", "False", "TRUE", "yes", " 1", "1_0", "0x1", "inf", "nan", "١", ".", "1.", "-.5e1"]
    ),
)
ANYTHING = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=4), st.dictionaries(st.text(max_size=2), SCALARS, max_size=2)
)
ZONES = st.sampled_from([None, "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
# Around the changes of summer time, and anywhere.
LOCAL = st.one_of(
    st.datetimes(datetime(2023, 10, 28), datetime(2023, 11, 6)),
    st.datetimes(datetime(2024, 3, 9), datetime(2024, 4, 8)),
    st.datetimes(),
)


@given(ANYTHING, st.sampled_from([4, 2048]))
@example([0.0] * 1000, 4)
@example([0.0] * 1001, 4)
def test_usable(value: Any, text_bytes: int) -> None:
    """Both keep the same of what a column may hold."""
    assert typed(reference.usable(value, text_bytes)) == typed(values.usable(value, text_bytes))


@given(SCALARS)
def test_readings(value: Any) -> None:
    """Both read a usable scalar as the same number, text, boolean and time."""
    kept = values.usable(value, 2048)
    assert typed(reference.number_of(kept)) == typed(number_form(values.as_number(kept)))
    assert reference.text_of(kept) == values.as_text(kept)
    assert reference.boolean_of(kept) is values.as_boolean(kept)
    assert reference.time_of(kept) == values.as_time(kept)


def number_form(number: float | None) -> object:
    """Return a number in its one form."""
    return None if number is None else values.canonical(number)


@given(ANYTHING, st.sampled_from(["string", "number", "boolean", "timestamp", "strings", "numbers"]))
def test_dtypes(value: Any, dtype: Any) -> None:
    """Both coerce to the dtype of an attribute alike."""
    kept = values.usable(value, 2048)
    if kept is not None:
        assert typed(reference.coerce(kept, dtype)) == typed(to_dtype(kept, dtype, 2048))


@given(ANYTHING, st.integers(0, 9))
def test_increments(value: Any, decimals: int) -> None:
    """Both round an increment to the same decimal."""
    kept = values.usable(value, 2048)
    assert reference.increment_of(kept, decimals) == scaled(kept, 10**decimals)


@given(
    LOCAL,
    ZONES,
    st.sampled_from(["T", " "]),
    st.sampled_from(["", "Z", "+01:00", "-0930", " +05"]),
    st.data(),
)
def test_times_as_text(
    local: datetime, zone: str | None, between: str, offset: str, data: st.DataObject
) -> None:
    """Both read ISO text alike: any offset, up to nine fraction digits, ambiguous and skipped times."""
    fraction = data.draw(st.from_regex(r"(\.\d{1,9})?", fullmatch=True))
    written = f"{local:%Y-%m-%d}".rjust(10, "0") + between + f"{local:%H:%M:%S}" + fraction + offset
    where = None if zone is None else ZoneInfo(zone)
    for text in (written, written[:10], written[:16] + offset):
        assert reference.parse_time(text, where) == units.parse_time(text, where)


@given(
    LOCAL, ZONES, st.sampled_from([None, UTC, timezone(timedelta(hours=-3, minutes=-30)), "Europe/London"])
)
def test_times_as_datetimes(local: datetime, zone: str | None, own: Any) -> None:
    """Both read datetimes and dates alike, with a zone of their own or without."""
    where = None if zone is None else ZoneInfo(zone)
    if local.year in range(2, 9999):
        aware = local.replace(tzinfo=ZoneInfo(own) if isinstance(own, str) else own)
        assert reference.parse_time(aware, where) == units.parse_time(aware, where)
        assert reference.parse_time(local.date(), where) == units.parse_time(local.date(), where)


@given(st.one_of(SCALARS, st.from_regex(r"\d{1,19}(\.\d{1,19})?", fullmatch=True)))
def test_times_as_numbers(value: Any) -> None:
    """Both read epoch seconds alike, and what is no time."""
    assert reference.parse_time(value, None) == units.parse_time(value, None)
