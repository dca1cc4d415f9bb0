"""What a browser needs to hear before it lets a page read an answer."""

from __future__ import annotations

from typing import Final, TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]

VARY: Final = (b"vary", b"Origin")
# With credentials a browser takes no wildcard: everything is named.
_CREDENTIALS: Final = (b"access-control-allow-credentials", b"true")
_ALLOWED: Final[Headers] = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"content-type, authorization, wp13n-token, accept, user-agent"),
    (b"access-control-max-age", b"600"),
]


def answer_headers(origin: bytes) -> Headers:
    """Return the headers of an answer to a page of an allowed origin.

    >>> answer_headers(b"https://shop.example")[0]
    (b'access-control-allow-origin', b'https://shop.example')
    """
    return [(b"access-control-allow-origin", origin), _CREDENTIALS, VARY]


def preflight_headers(origin: bytes) -> Headers:
    """Return the headers of the answer to a preflight request."""
    return [*answer_headers(origin), *_ALLOWED]
