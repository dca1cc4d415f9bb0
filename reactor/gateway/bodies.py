"""What stands in the body of a request: read within bounds, decoded, or refused."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

import msgspec

from reactor.errors import EventError
from reactor.event import as_event, decode
from reactor.gateway import checks
from reactor.gateway.checks import Refused
from reactor.units import MAX_TIME_S

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]

DRAINED_BYTES: Final = 4_000_000


class DisconnectedError(Exception):
    """The client went away before its request was whole."""


async def read_body(receive: Receive, length: bytes | None, most_bytes: int) -> bytes:
    """Return the body. Raises Refused if it is longer than `most_bytes`, DisconnectedError if it is cut."""
    if length is not None and (not length.isdigit() or int(length[:12]) > most_bytes or len(length) > 12):
        raise Refused(checks.EVENT)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False):
        if len(body) > most_bytes:
            raise Refused(checks.EVENT)
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False) and size <= most_bytes:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if message["type"] != "http.request":
        raise DisconnectedError
    if size > most_bytes:
        raise Refused(checks.EVENT)
    return b"".join(parts)


async def drain(receive: Receive, length: bytes | None) -> bool:
    """Read a body that nobody wants, so that the client reads the answer; return whether it was short."""
    if length is None or not length.isdigit() or len(length) > 8 or int(length) > DRAINED_BYTES:
        return False
    read = 0
    while True:
        message = await receive()
        read += len(message.get("body", b""))
        if message["type"] != "http.request" or read > DRAINED_BYTES:
            return False
        if not message.get("more_body", False):
            return True


def event_in(body: bytes, most_bytes: int) -> dict[str, Any]:
    """Return the event that a body is. Raises Refused."""
    try:
        event = as_event(body, most_bytes)
    except EventError:
        event = None
    if event is None or not _is_time(event.get("time")):
        raise Refused(checks.EVENT)
    return event


def events_in(
    body: bytes, most_bytes: int, most_events: int, event_bytes: int
) -> list[tuple[bytes, dict[str, Any]]]:
    """Return the events of an ingest body, each with its JSON text.

    One object, a list of objects, or `{"events": [...]}`, as the vendor's clients send it.
    Raises Refused; then none of them counts.
    """
    try:
        sent = decode(body, most_bytes)
    except EventError:
        sent = None
    if isinstance(sent, dict) and isinstance(sent.get("events"), list) and len(sent) == 1:
        sent = sent["events"]
    if isinstance(sent, dict):
        return [(_within(body, event_bytes), _checked(sent))]
    if not isinstance(sent, list) or not 0 < len(sent) <= most_events:
        raise Refused(checks.EVENT)
    return [(_within(_encoded(event), event_bytes), _checked(event)) for event in sent]


def rows_in(body: bytes, most_bytes: int) -> tuple[list[dict[str, Any]], bool]:
    """Return batch rows, and whether they replace all: a list, or `{"rows": [...], "replace": true}`."""
    try:
        sent = decode(body, most_bytes)
    except EventError:
        sent = None
    rows, replace = sent, True
    if isinstance(sent, dict) and sent.keys() <= {"rows", "replace"}:
        rows, replace = sent.get("rows"), sent.get("replace", True)
    if not isinstance(rows, list) or not isinstance(replace, bool):
        raise Refused(checks.EVENT)
    return [_row(row) for row in rows], replace


def _row(row: object) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise Refused(checks.EVENT)
    return row


def _checked(event: object) -> dict[str, Any]:
    if not isinstance(event, dict) or not _is_time(event.get("time")):
        raise Refused(checks.EVENT)
    return event


def _within(text: bytes, most_bytes: int) -> bytes:
    if len(text) > most_bytes:
        raise Refused(checks.EVENT)
    return text


def _is_time(value: object) -> bool:
    """Tell whether a time is whole epoch seconds between 1970 and 9999; none will be given one."""
    if value is None:
        return True
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TIME_S


def _encoded(event: object) -> bytes:
    try:
        return msgspec.json.encode(event)
    except (UnicodeError, RecursionError, ValueError, OverflowError):
        pass
    # Half a surrogate pair has no UTF-8; as an escape it is what was sent.
    try:
        return json.dumps(event).encode()
    except (RecursionError, ValueError):
        pass
    raise Refused(checks.EVENT)
