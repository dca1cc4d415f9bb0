"""What the kinds of attributes share.

An attribute with state owns a run of slots in a part of the profile's row. Its kind is a
class whose one instance per declared attribute knows the run's place (`at`) and gives:

    template()                                      the slots of a profile it never touched
    emit_update(source, part, ...)                  the update, as source for the generated function
    emit_...(reads)                                 a read, as source of an expression
    merge(survivor, absorbed, merged, newest_ms)    the survivor's new slots, into `merged`
    state(row, newest_ms)                           plain canonical data, or None
    emit_pack(source, part, state)                  the same for a packer, into the local `state`
    emit_unpack(source, part, state)                the slots of a fresh part from that
    most_bytes(limits)                              what `state` can come to, packed
    check(row)                                      asserts what must hold

The state is the row's; nothing here holds any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from reactor.source import Source
from reactor.spec.model import DType, Limits
from reactor.values import MAX_ELEMENTS, Value, as_boolean, as_number, as_text, as_time, canonical, text_fits

Row: TypeAlias = list[Any]

MOST_INCREMENT: Final = 10**12
INT_BYTES: Final = 9  # the most msgpack needs for a number within 64 bits
WIDE_INT_BYTES: Final = 21  # a sum is packed as up to 19 bytes of binary


class Reads(msgspec.Struct, frozen=True):
    """Where a read finds its things, as source: `part` the row's part, `now` the reading time.

    imported: gives the source of an imported attribute's value.
    """

    source: Source
    part: str
    now: str
    imported: Callable[[str], str]


def scaled(value: Any, scale: int) -> int | None:
    """Return an increment as a whole number of 1/scale, half-even; None if it can't be used.

    >>> scaled(2.5, 100), scaled("0.015", 100), scaled(True, 100), scaled(10**13, 1)
    (250, 2, None, None)
    """
    number = value if value.__class__ is float or value.__class__ is int else as_number(value)
    if number is None or not -MOST_INCREMENT <= number <= MOST_INCREMENT:
        return None
    return number * scale if number.__class__ is int else round(number * scale)


def to_dtype(value: object, dtype: DType, text_bytes: int) -> Value | None:
    """Read a usable value as the declared type; None where it can't be.

    A timestamp becomes ms. A list type takes a scalar for a list of one, and refuses a list
    with an element that can't be read.

    >>> to_dtype("60", "number", 2048), to_dtype(["1", "x"], "numbers", 2048), to_dtype(7, "strings", 2048)
    (60, None, ['7'])
    """
    if dtype in ("strings", "numbers"):
        element = "string" if dtype == "strings" else "number"
        values = value if isinstance(value, list) else [value]
        read = [_to_scalar(item, element, text_bytes) for item in values]
        return None if None in read else read
    return None if isinstance(value, list) else _to_scalar(value, dtype, text_bytes)


def _to_scalar(value: object, dtype: str, text_bytes: int) -> Any:
    if dtype == "string":
        text = as_text(value)
        return text if text is not None and text_fits(text, text_bytes) else None
    if dtype == "number":
        number = as_number(value)
        return None if number is None else canonical(number)
    return as_boolean(value) if dtype == "boolean" else as_time(value)


def value_bytes(dtype: str, limits: Limits) -> int:
    """Return the most bytes a value of this type has, packed."""
    text = limits.value_bytes + 5
    sizes = {"string": text, "number": INT_BYTES, "boolean": 1, "timestamp": INT_BYTES}
    if dtype in sizes:
        return sizes[dtype]
    if dtype == "numbers":
        return 5 + MAX_ELEMENTS * INT_BYTES
    # A list's elements came in one event, which has a size of its own.
    return min(5 + MAX_ELEMENTS * text, limits.event_bytes + 5 * MAX_ELEMENTS + 5)


def scalar_bytes(limits: Limits) -> int:
    """Return the most bytes an untyped scalar has, packed."""
    return limits.value_bytes + 5
