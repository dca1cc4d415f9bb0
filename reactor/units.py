"""Durations, sizes and times: text to whole numbers and back.

Inside the engine a time is an int, milliseconds since 1970 in UTC, and a duration is an
int in milliseconds. Everything here is pure: no clock is read.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

UNIT_MS: Final = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
# A window written in minutes or seconds is cut into panes of a second, and so on: the
# error of a window's far edge stays below a sixtieth of the unit the user thinks in.
PANE_MS: Final = {"s": SECOND_MS, "m": SECOND_MS, "h": MINUTE_MS, "d": HOUR_MS}
SIZE_BYTES: Final = {"B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}

MIN_TIME_MS: Final = -62_135_596_800_000  # 0001-01-01T00:00:00.000Z
MAX_TIME_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
MAX_TIME_S: Final = MAX_TIME_MS // 1000

_DURATION = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_SIZE = re.compile(r"(\d{1,12})(B|KB|MB|GB)", re.ASCII)
_DIGITS = re.compile(r"\d{1,18}(\.\d{1,18})?", re.ASCII)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_duration(text: str) -> int:
    """Return the milliseconds of a duration such as `30s`, `15m`, `24h` or `7d`.

    Raises ValueError for any other text, and for zero.

    >>> parse_duration("24h") == parse_duration("1d")
    True
    """
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError('expected a duration such as "30s", "15m", "24h" or "7d"')
    return int(match[1]) * UNIT_MS[match[2]]


def pane_of(text: str) -> int:
    """Return the pane width, in milliseconds, of a window written as `text`.

    >>> pane_of("24h"), pane_of("1d")
    (60000, 3600000)
    """
    parse_duration(text)
    return PANE_MS[text[-1]]


def format_duration(duration_ms: int) -> str:
    """Write a duration in the largest unit that divides it.

    >>> format_duration(90 * 60_000), format_duration(86_400_000)
    ('90m', '1d')
    """
    for unit in "dhms":
        if duration_ms % UNIT_MS[unit] == 0:
            return f"{duration_ms // UNIT_MS[unit]}{unit}"
    return f"{duration_ms}ms"


def parse_size(text: str) -> int:
    """Return the bytes of a size such as `500KB` or `8GB` (powers of 1,000).

    >>> parse_size("1MB")
    1000000
    """
    match = _SIZE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError('expected a size such as "500KB", "1MB" or "8GB"')
    return int(match[1]) * SIZE_BYTES[match[2]]


def parse_time(value: Any, zone: ZoneInfo | None = None) -> int | None:
    """Return the milliseconds since 1970 that `value` names, or None if it names no time.

    value: epoch seconds as an int, a float or text of digits; ISO 8601 text with `T` or a
        space and up to nine fraction digits, or a date alone (its midnight); a datetime or date.
    zone: the zone of text and datetimes that name none; UTC when it is None. An ambiguous
        local time is the earlier one; a skipped one moves on by the gap.
    Fractions of a millisecond are rounded half-even. The result is not range-checked: see
    `MAX_TIME_MS`.

    >>> parse_time("2017-03-01 10:00:00.5"), parse_time(1488362400.5)
    (1488362400500, 1488362400500)
    >>> parse_time("yesterday") is None
    True
    """
    kind = value.__class__
    if kind is int:
        return int(value * 1000)
    if kind is str:
        return _parse_text(value, zone)
    if kind is float:
        return round(value * 1000) if abs(value) < 1e15 else None
    if isinstance(value, datetime):
        return _from_datetime(value, zone)
    if isinstance(value, date):
        return _local_ms((value.toordinal() - _EPOCH_DAY) * DAY_MS, zone)
    return None


def _parse_text(text: str, zone: ZoneInfo | None) -> int | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return _parse_digits(text)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        day_ms = (date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY) * DAY_MS
    except ValueError:
        return None
    if hour is None:
        return _local_ms(day_ms, zone)
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    local = day_ms + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS + _fraction_ms(fraction)
    if offset is None:
        return _local_ms(local, zone)
    shift = _offset_ms(offset)
    return None if shift is None else local - shift


def _parse_digits(text: str) -> int | None:
    if _DIGITS.fullmatch(text) is None:
        return None
    whole, _, fraction = text.partition(".")
    return int(whole) * 1000 + _fraction_ms(fraction)


def _fraction_ms(digits: str | None) -> int:
    """Round a decimal fraction of a second to milliseconds, half-even."""
    if not digits:
        return 0
    scale: int = 10 ** len(digits)
    quotient, rest = divmod(int(digits) * 1000, scale)
    is_up = 2 * rest > scale or (2 * rest == scale and quotient % 2 == 1)
    return quotient + int(is_up)


def _offset_ms(text: str) -> int | None:
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[-2:]) if len(text) > 3 else 0
    if hours > 23 or minutes > 59:
        return None
    shift = hours * HOUR_MS + minutes * MINUTE_MS
    return -shift if text[0] == "-" else shift


def _local_ms(local: int, zone: ZoneInfo | None) -> int:
    if zone is None:
        return local
    return local - _zone_offset_ms(zone, local // MINUTE_MS)


@lru_cache(maxsize=65_536)
def _zone_offset_ms(zone: ZoneInfo, local_minute: int) -> int:
    # fold=0: the earlier of two, and for a skipped time the offset before the gap,
    # which moves it on by the gap.
    try:
        local = datetime(1970, 1, 1) + timedelta(minutes=local_minute)
        offset = local.replace(tzinfo=zone).utcoffset()
    except OverflowError:
        return 0
    return 0 if offset is None else round(offset / timedelta(milliseconds=1))


def _from_datetime(value: datetime, zone: ZoneInfo | None) -> int:
    local = value.replace(tzinfo=None)
    whole = (local.toordinal() - _EPOCH_DAY) * DAY_MS
    seconds = local.hour * 3600 + local.minute * 60 + local.second
    local_ms = whole + seconds * 1000 + _fraction_ms(f"{local.microsecond:06d}")
    offset = value.utcoffset()
    if offset is None:
        return _local_ms(local_ms, zone)
    return local_ms - round(offset / timedelta(milliseconds=1))


def to_datetime(time_ms: int) -> datetime:
    """Return the time as a datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=time_ms)


def format_time(time_ms: int) -> str:
    """Write a time as `YYYY-MM-DDTHH:MM:SS.mmmZ`.

    >>> format_time(1488362400500)
    '2017-03-01T10:00:00.500Z'
    """
    return to_datetime(time_ms).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
