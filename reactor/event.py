"""The door: what comes in from outside becomes a mapping of columns and a time.

Everything here may refuse, with an `EventError` that names the place and the kind of the
fault and never a value; nothing here changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

import msgspec

from reactor.errors import EventError
from reactor.units import MAX_TIME_MS, MAX_TIME_S, parse_time
from reactor.values import Value, is_missing, usable

_decode = msgspec.json.Decoder().decode

_KINDS: Final = {
    "bool": "a boolean",
    "dict": "an object",
    "float": "a number",
    "int": "a number",
    "list": "a list",
    "NoneType": "null",
    "str": "text",
}


def kind_of(value: object) -> str:
    """Name the JSON kind of a value, for messages: `a list`, `text`, `null`."""
    name = type(value).__name__
    return _KINDS.get(name, f"a Python {name}")


def as_event(event: object, most_bytes: int) -> dict[str, Any]:
    """Return the columns of an event given as a mapping, or as JSON in bytes or str.

    most_bytes: the most a JSON text may have. Of a repeated key the last wins.
    Raises EventError if it is no JSON object, or a column's name is no text.

    >>> as_event(b'{"td_path": "/a", "td_path": "/b"}', 1_000_000)
    {'td_path': '/b'}
    """
    if isinstance(event, bytes | bytearray | memoryview | str):
        event = decode(event, most_bytes)
        if event.__class__ is dict:
            return event
    if not isinstance(event, Mapping):
        raise EventError("$", f"expected an object, got {kind_of(event)}")
    columns = event if event.__class__ is dict else dict(event)
    for name in columns:
        if name.__class__ is not str:
            raise EventError("$", f"expected text as the name of a column, got {kind_of(name)}")
    return columns


def decode(body: bytes | bytearray | memoryview | str, most_bytes: int) -> object:
    """Decode one JSON text. Raises EventError if it is too long or malformed."""
    size = body.nbytes if isinstance(body, memoryview) else len(body)
    if size <= most_bytes < size * 4 and isinstance(body, str):
        size = len(body.encode(errors="surrogatepass"))
    if size > most_bytes:
        raise EventError("$", f"expected at most {most_bytes} bytes, got {size}")
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    return _decode_slow(body)


def _decode_slow(body: bytes | bytearray | memoryview | str) -> object:
    """Decode what msgspec refuses though it is JSON: numbers beyond doubles, lone surrogates."""
    reason = "malformed JSON"
    try:
        text = body if isinstance(body, str) else str(body, "utf-8")
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_parse_int)
    except json.JSONDecodeError as error:
        reason = f"malformed JSON at line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError as error:
        reason = f"bytes that are not UTF-8 at byte {error.start}"
    except RecursionError:
        reason = "JSON that is nested too deeply"
    except ValueError:
        pass
    raise EventError("$", f"expected a JSON object, got {reason}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) < 20 else float(digits)


def event_time(value: object, column: str, zone: ZoneInfo | None, now_ms: int | None) -> int:
    """Return the event's time in ms; an event without one takes `now_ms`.

    value: of the time column, in any form `units.parse_time` reads.
    Raises EventError if it is no time, lies outside 1970 to 9999, or is absent without `now_ms`.
    """
    if is_missing(value):
        if now_ms is None:
            raise EventError(column, "expected a time, got none, and no `now` was given")
        return now_ms
    return time_between(value, column, zone)


def time_between(value: object, path: str, zone: ZoneInfo | None = None) -> int:
    """Return the ms of a time between 1970 and 9999. Raises EventError for anything else.

    >>> time_between("2017-03-01T10:00:00+01:00", "now")
    1488358800000
    """
    time_ms = parse_time(value, zone)
    if time_ms is None and not (isinstance(value, int | float) and not isinstance(value, bool)):
        got = "text of another form" if isinstance(value, str) else kind_of(value)
        raise EventError(path, f"expected epoch seconds or ISO 8601 text, got {got}")
    if time_ms is None or not 0 <= time_ms <= MAX_TIME_MS:
        hint = ""
        if isinstance(value, int | float) and MAX_TIME_S < value <= MAX_TIME_MS:
            hint = ": milliseconds?"
        raise EventError(path, f"expected a time between 1970 and 9999, in seconds, got one beyond{hint}")
    return time_ms


def nested(value: object, path: tuple[str, ...], text_bytes: int) -> Value | None:
    """Return the usable value at `path` inside an object, or None where there is none.

    >>> nested({"page": {"path": "/a"}}, ("page", "path"), 2048)
    '/a'
    """
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return usable(value, text_bytes)
