"""The reference model's own reading of values, numbers and times.

Everything here is written a second time, from the documents and not from the engine's code: with
`Fraction` where the engine computes in ints, with `datetime` where it counts days by hand.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
MOST_ELEMENTS: Final = 1_000
MOST_INCREMENT: Final = 10**12

_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_EPOCH_SECONDS = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_ISO = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?P<clock>[T ][0-9]{2}:[0-9]{2}(?P<seconds>:[0-9]{2}(?P<fraction>\.[0-9]{1,9})?)?"
    r" ?(?P<offset>Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)
# The whole gap of white space before an offset may also be a tab and the like.
_SPACE_BEFORE_OFFSET = re.compile(r"\s(?=(Z|[+-][0-9]{2}(:?[0-9]{2})?)$)")


def canonical(number: float) -> int | float | None:
    """Return the one form of a number: an int where it is whole and small; None if it is not finite.

    >>> canonical(3.0), canonical(-0.0), canonical(2**63), canonical(float("inf"))
    (3, 0, 9.223372036854776e+18, None)
    """
    if isinstance(number, int):
        if -(2**63) <= number < 2**63:
            return number
        return float(number) if abs(number) < 2**1024 - 2**970 else None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def usable(value: object, text_bytes: int) -> object:
    """Return a column's value as expressions see it; None where it can't be used.

    >>> usable([1.0, None, float("nan"), "a"], 9), usable({"a": 1}, 9), usable("too long for it", 9)
    ([1, 'a'], None, None)
    """
    if isinstance(value, list | tuple):
        if len(value) > MOST_ELEMENTS:
            return None
        elements = [_usable_scalar(element, text_bytes) for element in value if not is_missing(element)]
        return None if None in elements else elements
    return _usable_scalar(value, text_bytes)


def is_missing(value: object) -> bool:
    """Tell whether a value stands for none: NULL, NaN, an infinity."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _usable_scalar(value: object, text_bytes: int) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return canonical(value)
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            return None
        return value if len(value.encode()) <= text_bytes else None
    return None


def number_of(value: object) -> int | float | None:
    """Read a number, or text that is wholly a decimal number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return canonical(_nearest_number(value))
    return None


def _nearest_number(text: str) -> int | float:
    # A whole number within 64 bits is exact; everything else is the nearest double.
    try:
        whole = int(text) if len(text) < 20 else None
    except ValueError:
        whole = None
    return whole if whole is not None and -(2**63) <= whole < 2**63 else float(text)


def text_of(value: object) -> str | None:
    """Read the written form of a scalar.

    >>> text_of(2.0), text_of(True), text_of(1e21), text_of(-2.5e-7), text_of([1])
    ('2', 'true', '1e+21', '-2.5e-7', None)
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _javascript(value)
    return None


def _javascript(number: float) -> str:
    """Write a double as ECMAScript's Number::toString does, with its n, k and s (spec §6.1.6.1.20)."""
    if number == 0:
        return "0"
    if number < 0:
        return "-" + _javascript(-number)
    _, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    s = "".join(map(str, digits))
    k = len(s)
    n = int(exponent) + k
    if k <= n <= 21:
        return s + "0" * (n - k)
    if 0 < n <= 21:
        return s[:n] + "." + s[n:]
    if -6 < n <= 0:
        return "0." + "0" * -n + s
    power = f"e+{n - 1}" if n > 0 else f"e-{1 - n}"
    return (s if k == 1 else s[0] + "." + s[1:]) + power


def boolean_of(value: object) -> bool | None:
    """Read a boolean, or the text of one in any case of letters."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii():
        return {"true": True, "false": False}.get(value.lower())
    return None


def time_of(value: object) -> int | None:
    """Read ISO 8601 text in UTC, or epoch seconds, as ms; None beyond the years 1 to 9999."""
    time_ms = None if isinstance(value, bool) else parse_time(value, None)
    return time_ms if time_ms is not None and ms(datetime.min) <= time_ms <= ms(LAST) else None


def coerce(value: object, dtype: str, written: str = "untyped") -> object:
    """Read an expression's result as the dtype of a single or imported attribute; None: unusable.

    written: the expression's type; a timestamp is in ms already.

    >>> coerce("7", "number"), coerce(7, "string"), coerce(["a", 1], "strings"), coerce([1, True], "numbers")
    (7, '7', ['a', '1'], None)
    """
    if value is None:
        return None
    if dtype in ("strings", "numbers"):
        read = text_of if dtype == "strings" else number_of
        elements = [read(element) for element in (value if isinstance(value, list) else [value])]
        return None if None in elements else elements
    if isinstance(value, list):
        return None
    if written == "timestamp":
        return value if dtype == "timestamp" else None
    readers = {"string": text_of, "number": number_of, "boolean": boolean_of, "timestamp": time_of}
    return readers[dtype](value)


def increment_of(value: object, decimals: int) -> int | None:
    """Read an increment in units of 10^-decimals, rounded half-even; None adds nothing.

    >>> increment_of("2.55", 2), increment_of(0.125, 2), increment_of(10**12 + 1, 0), increment_of(True, 0)
    (255, 12, None, None)
    """
    number = number_of(value)
    if number is None or not -MOST_INCREMENT <= number <= MOST_INCREMENT:
        return None
    scale: int = 10**decimals
    return number * scale if isinstance(number, int) else round(number * scale)


def sum_of(increments: list[int], decimals: int) -> int | float:
    """Add increments; the sum is the double nearest to the exact decimal, an int where it is whole."""
    exact = Fraction(sum(increments), 10**decimals)
    number = canonical(float(exact))
    return int(exact) if decimals == 0 else number if number is not None else 0


def same(value: object) -> object:
    """Return what two values share when their JSON texts are equal: 1 and 1.0, but not 1, "1" and true.

    >>> same(1) == same(1.0), same(1) == same(True), same([1]) == same([1.0])
    (True, False, True)
    """
    if isinstance(value, list):
        return tuple(same(element) for element in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__, value
    return "number", Fraction(value)


def ms(time: datetime) -> int:
    """Return the milliseconds since 1970 of a datetime, in UTC if it names no zone."""
    return (time.replace(tzinfo=time.tzinfo or UTC) - EPOCH) // timedelta(milliseconds=1)


def parse_time(value: object, zone: ZoneInfo | None) -> int | None:
    """Return the ms of what an event, a call or a row may give as a time; None if it is none.

    >>> parse_time("2017-03-01T00:00:00.0005", None), parse_time("2017-03-01 01:00+01", None)
    (1488326400000, 1488326400000)
    >>> parse_time("2024-03-31 01:30", ZoneInfo("Europe/London")) == parse_time("2024-03-31T01:30Z", None)
    True
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value * 1000
    if isinstance(value, float):
        return round(value * 1000) if abs(value) < 1e15 else None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=zone or UTC, fold=0)
        return half_even(Fraction((aware.astimezone(UTC) - EPOCH) // timedelta(microseconds=1), 1000))
    if isinstance(value, date):
        return _local(datetime(value.year, value.month, value.day), zone)
    return _parse_text(value, zone) if isinstance(value, str) else None


def _parse_text(text: str, zone: ZoneInfo | None) -> int | None:
    if _EPOCH_SECONDS.fullmatch(text):
        return half_even(Fraction(text) * 1000)
    found = _ISO.fullmatch(_SPACE_BEFORE_OFFSET.sub(" ", text))
    if found is None:
        return None
    fraction = half_even(Fraction("0" + (found["fraction"] or ".0")) * 1000)
    try:
        day = datetime.strptime(found["day"], "%Y-%m-%d")
        if not found["clock"]:
            return _local(day, zone)
        clock = found["clock"][1:9] if found["seconds"] else found["clock"][1:6] + ":00"
        hour, minute, second = (int(part) for part in clock.split(":"))
        local = day.replace(hour=hour, minute=minute, second=second)
    except ValueError:
        return None
    if found["offset"] is None:
        return _local(local, zone) + fraction
    shift = _offset(found["offset"])
    return None if shift is None else ms(local) + fraction - shift // timedelta(milliseconds=1)


def _local(local: datetime, zone: ZoneInfo | None) -> int:
    # fold=0 takes the earlier of two times, and for a skipped one the offset before the gap.
    shift = local.replace(tzinfo=zone, fold=0).utcoffset() if zone else None
    return ms(local) - (shift or timedelta()) // timedelta(milliseconds=1)


def _offset(text: str) -> timedelta | None:
    if text == "Z":
        return timedelta()
    hours, minutes = int(text[1:3]), int(text[3:].strip(":") or 0)
    if hours > 23 or minutes > 59:
        return None
    shift = timedelta(hours=hours, minutes=minutes)
    return -shift if text[0] == "-" else shift


def half_even(number: Fraction) -> int:
    """Round to the nearest int, a half to the even one."""
    return round(number)


def to_datetime(time_ms: int) -> datetime:
    """Return the time as a datetime in UTC."""
    return EPOCH + timedelta(milliseconds=time_ms)


def json_value(value: object, written: str) -> object:
    """Return a payload's value in its JSON form: a timestamp as text, a number in its one form."""
    if isinstance(value, list):
        return [json_value(element, "untyped") for element in value]
    if written == "timestamp" and isinstance(value, int):
        return to_datetime(value).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return canonical(value)
    return value
