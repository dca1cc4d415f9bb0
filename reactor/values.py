"""Values: what a column may hold, and how one kind is read as another.

A value is a str, an int within 64 bits, a finite float, a bool, or a list of these; None
is NULL. `usable` makes values of whatever an event carries; the `as_*` functions read an
untyped value as a type and return None where it is not one: this is `cast` too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, TypeAlias

from reactor.units import MAX_TIME_MS, MIN_TIME_MS, parse_time

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | list[Scalar]

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
EXACT: Final = 2**53  # below it every whole double is one int, and is written as one
MAX_ELEMENTS: Final = 1_000
SHORT: Final = 16  # characters of a text whose number is worth remembering

_TEXTS: Final = {str}
_NUMBER = re.compile(r"[+-]?(?:\d+(\.\d*)?|(\.\d+))([eE][+-]?\d+)?", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}


def usable(value: object, text_bytes: int) -> Value | None:
    """Return `value` as the engine keeps it, or None if it can't be used.

    text_bytes: the most bytes a text may have in UTF-8.
    Whole doubles below 2^53 become ints, ints beyond 64 bits become doubles, NULL, NaN and
    infinite elements of a list are dropped. NaN, infinities, objects, text that is too long or has a lone
    surrogate, lists of over 1,000 elements and lists with an unusable element can't be used.

    >>> usable([1.0, None, "a"], 2048)
    [1, 'a']
    """
    kind = value.__class__
    if kind is float:
        return canonical(value)  # type: ignore[arg-type]
    if kind is list or kind is tuple or isinstance(value, list | tuple):
        return _usable_list(value, text_bytes)  # type: ignore[arg-type]
    return usable_scalar(value, text_bytes)


def usable_scalar(value: object, text_bytes: int) -> Scalar | None:
    """As `usable`, for anything but a list: a list is not a scalar, hence None."""
    if isinstance(value, str):
        return value if text_fits(value, text_bytes) else None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return canonical(value)
    return None


def _usable_list(values: list[object] | tuple[object, ...], text_bytes: int) -> list[Scalar] | None:
    if len(values) > MAX_ELEMENTS:
        return None
    if set(map(type, values)) == _TEXTS:
        together = "".join(values)  # type: ignore[arg-type]
        if together.isascii() and len(together) <= text_bytes:
            return list(values)  # type: ignore[arg-type]
    result = []
    for value in values:
        if is_missing(value):
            continue
        element = usable_scalar(value, text_bytes)
        if element is None:
            return None
        result.append(element)
    return result


def text_fits(text: str, most_bytes: int) -> bool:
    """Tell whether `text` is valid Unicode of at most `most_bytes` in UTF-8."""
    if text.isascii():
        return len(text) <= most_bytes
    try:
        return len(text) <= most_bytes and len(text.encode()) <= most_bytes
    except UnicodeEncodeError:
        return False


def is_missing(value: object) -> bool:
    """Tell whether a raw value stands for none: NULL, NaN or an infinity."""
    return value is None or (isinstance(value, float) and value - value != 0)


def canonical(number: float) -> int | float | None:
    """Return the number's one form: an int if whole and below 2^53, else as it is; None if not finite.

    Ints beyond 64 bits become doubles.

    >>> canonical(2.0), canonical(-0.0), canonical(0.5), canonical(float("nan"))
    (2, 0, 0.5, None)
    """
    if isinstance(number, float):
        if -EXACT < number < EXACT:
            whole = int(number)
            return whole if whole == number else number
        return number if number - number == 0 else None
    if INT_MIN <= number <= INT_MAX:
        return number
    try:
        return float(number)
    except OverflowError:
        return None


def as_number(value: object) -> int | float | None:
    """Read an untyped value as a number: numbers, and text that is wholly a decimal number.

    >>> as_number("8700"), as_number(".5"), as_number(" 12 "), as_number(True)
    (8700, 0.5, None, None)
    """
    if isinstance(value, str):
        return _short_number(value) if len(value) <= SHORT else _text_number(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return None


def _text_number(text: str) -> int | float | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    if match[1] is None and match[2] is None and match[3] is None and len(text) < 20:
        number = int(text)
        return number if INT_MIN <= number <= INT_MAX else float(number)
    parsed = float(text)
    return parsed if parsed - parsed == 0 else None


# Prices and quantities of a CSV file come as text, and the same ones over and over.
_short_number = lru_cache(maxsize=4_096)(_text_number)


def as_text(value: object) -> str | None:
    """Read an untyped value as text: text, the written form of a number, `true` or `false`.

    >>> as_text(1.0), as_text(True), as_text([1]) is None
    ('1', 'true', True)
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    return None


def as_boolean(value: object) -> bool | None:
    """Read an untyped value as a boolean: a boolean, or `true` / `false` in any case of letters.

    >>> as_boolean("True"), as_boolean("yes"), as_boolean(1)
    (True, None, None)
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) < 6 and value.isascii():
        return _BOOLEANS.get(value.lower())
    return None


def as_time(value: object) -> int | None:
    """Read an untyped value as a time in ms: ISO 8601 text in UTC, or epoch seconds.

    >>> as_time("1970-01-01"), as_time(1.5), as_time("soon"), as_time(True)
    (0, 1500, None, None)
    """
    if isinstance(value, bool):
        return None
    time_ms = parse_time(value)
    return time_ms if time_ms is not None and MIN_TIME_MS <= time_ms <= MAX_TIME_MS else None


def number_text(number: float) -> str:
    """Write a number as JavaScript would: the shortest digits that read back the same.

    >>> number_text(2.0), number_text(0.1), number_text(1e21), number_text(1e20), number_text(1.5e-7)
    ('2', '0.1', '1e+21', '100000000000000000000', '1.5e-7')
    """
    if isinstance(number, int):
        return str(number)
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    digits, exponent = _shortest(abs(number))
    if len(digits) <= exponent <= 21:
        return f"{sign}{digits}{'0' * (exponent - len(digits))}"
    if 0 < exponent <= 21:
        return f"{sign}{digits[:exponent]}.{digits[exponent:]}"
    if -6 < exponent <= 0:
        return f"{sign}0.{'0' * -exponent}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{exponent - 1:+d}"


def _shortest(number: float) -> tuple[str, int]:
    """Return (digits, exponent) with number == 0.digits * 10**exponent and the fewest digits."""
    mantissa, _, power = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = whole + fraction
    exponent = len(whole) + int(power or 0)
    stripped = digits.lstrip("0")
    exponent -= len(digits) - len(stripped)
    return stripped.rstrip("0"), exponent
