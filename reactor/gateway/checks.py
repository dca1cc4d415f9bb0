"""Every refusal, and the order in which a request is checked.

The order is that of what each check presupposes:

    method → path → content type → API key → token given → its form → its account → is it known
    → its type → origin, or address → body → engine
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple, TypeAlias

import msgspec

from reactor.gateway.networks import Network, client_address, contains
from reactor.gateway.services import Service, Token, is_origin
from reactor.gateway.settings import Settings
from reactor.payload import Audience

MEDIA_TYPE: Final = b"application/vnd.treasuredata.v1+json"
JSON: Final = b"application/json"


class Refusal(NamedTuple):
    """An answer that is none: its HTTP status, and the code and message of its body."""

    status: int
    code: int
    message: str

    def body(self) -> bytes:
        """Return the body."""
        return msgspec.json.encode({"code": self.code, "message": self.message})


# The hosted API documents no code for these three; the status stands in for it.
NO_API_KEY: Final = Refusal(401, 401, "API key is missing or not known.")
NOT_FOUND: Final = Refusal(404, 404, "No such path.")
MEDIA: Final = Refusal(415, 415, "Content type must be application/vnd.treasuredata.v1+json.")

NO_TOKEN: Final = Refusal(400, 3000, "RT token was not provided (WP13n-Token header).")
UNKNOWN_TOKEN: Final = Refusal(400, 3001, "RT token is not in configuration.")
ACCOUNT: Final = Refusal(400, 3002, "RT token account conflicts with Authed user account.")
TOKEN_FORM: Final = Refusal(400, 3003, "RT token is in an invalid format.")
EVENT: Final = Refusal(400, 3004, "Invalid event object.")
ADDRESS: Final = Refusal(400, 3005, "Request origin not in IP whitelist.")
TOKEN_TYPE: Final = Refusal(
    400, 3006, "Invalid token type. Token type is not matching the one in the configuration."
)
ORIGIN: Final = Refusal(400, 3007, "Invalid or missing Origin.")
NO_METHOD: Final = Refusal(400, 3008, "Request method is required.")
METHOD: Final = Refusal(400, 3009, "Unsupported method.")
QUEUE_FULL: Final = Refusal(429, 2003, "Kinesis error due to limit being exceeded")
TOO_MANY: Final = Refusal(429, 2013, "Lambda total concurrent execution exceeds the reserved concurrency")
STARTING: Final = Refusal(500, 2015, "Lambda reactor configuration doesn't have the token yet")
STORE_GONE: Final = Refusal(500, 1005, "MemoryDB is unreachable or timed out")
STORE_FAILED: Final = Refusal(500, 2021, "MemoryDB operation threw an error")
NO_CLIENT: Final = Refusal(500, 3013, "Unable to retrieve Client IP from request")
UNKNOWN: Final = Refusal(500, 9999, "Unknown/undiagnosed")

REFUSALS: Final = (
    NO_API_KEY, NOT_FOUND, MEDIA, NO_TOKEN, UNKNOWN_TOKEN, ACCOUNT, TOKEN_FORM, EVENT, ADDRESS, TOKEN_TYPE,
    ORIGIN, NO_METHOD, METHOD, QUEUE_FULL, TOO_MANY, STARTING, STORE_GONE, STORE_FAILED, NO_CLIENT, UNKNOWN,
)  # fmt: skip


class Refused(Exception):
    """A request is refused, with what is answered."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Route(NamedTuple):
    """What a path asks for: `door` is `server`, `public`, `records` or `batch`; `table` is `db.table`."""

    door: str
    table: str


class Caller(NamedTuple):
    """Who asks: the audience of the token, and the origin to answer to with CORS headers, or None."""

    audience: Audience
    origin: bytes | None


Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

_PATH = re.compile(rb"/(?:(public|records)/)?([0-9a-z_]{3,128})/([0-9a-z_]{3,128})")
_ACCOUNT = re.compile(rb"[0-9]{1,20}")


def route_of(raw_path: bytes) -> Route | None:
    """Return what a path asks for, or None. It is taken as sent: nothing is decoded or tidied.

    >>> route_of(b"/public/web/views"), route_of(b"/web/%76iews"), route_of(b"//web/views")
    (Route(door='public', table='web.views'), None, None)
    """
    if raw_path == b"/_batch":
        return Route("batch", "")
    match = _PATH.fullmatch(raw_path)
    if match is None:
        return None
    door = "server" if match[1] is None else match[1].decode()
    return Route(door, f"{match[2].decode()}.{match[3].decode()}")


class Sent(msgspec.Struct):
    """The headers that are looked at. A header that may stand once and stands twice counts as b"".

    is_read: whether the body behind them has been read.
    """

    content_type: bytes | None = None
    authorization: bytes | None = None
    token: bytes | None = None
    origin: bytes | None = None
    length: bytes | None = None
    forwarded: list[bytes] | None = None
    is_read: bool = False


def sent(headers: Headers) -> Sent:
    """Pick the headers that are looked at."""
    found: dict[bytes, bytes] = {}
    forwarded = None
    for name, value in headers:
        if name == b"x-forwarded-for":
            forwarded = [value] if forwarded is None else [*forwarded, value]
        elif name in _WANTED:
            found[name] = b"" if name in found else value
    get = found.get
    return Sent(
        get(b"content-type"), get(b"authorization"), get(b"wp13n-token"), get(b"origin"),
        get(b"content-length"), forwarded,
    )  # fmt: skip


_WANTED: Final = frozenset((b"content-type", b"authorization", b"wp13n-token", b"origin", b"content-length"))


class _Known(NamedTuple):
    """A caller who was let in before, and the addresses that are looked at each time."""

    caller: Caller
    networks: Sequence[Network]


MOST_KNOWN: Final = 1_000  # callers that are remembered: only those who were let in


class Checks:
    """Tells who a request is from, or why it is refused.

    salt: random bytes; secrets are found by a hash that is keyed with it, so that neither a lookup
    nor a comparison takes longer the more of a guess is right.
    """

    def __init__(self, settings: Settings, salt: bytes) -> None:
        self._salt = salt
        self._account = settings.account
        self._instance = settings.instance
        self._networks = settings.networks
        self._trusted = settings.trusted
        self._api_keys = {self._digest(key.value): key for key in settings.api_keys}
        self._tokens = {
            self._digest(token.value): (service, token)
            for service in settings.services
            for token in service.tokens
        }
        public = [service for service in settings.services if service.is_public]
        self._origins = frozenset().union(*(service.origins for service in public))
        self._known: dict[bytes, _Known] = {}

    def caller(self, door: str, given: Sent, peer: str | None) -> Caller:
        """Return who asks at a door. Raises Refused."""
        # The same headers have the same answer, but for the address: that is looked at each time.
        headers = (given.content_type, given.authorization, given.token, given.origin)
        asked = self._digest(
            b"\0".join([door.encode(), *(b"-" if each is None else b"+" + each for each in headers)])
        )
        known = self._known.get(asked)
        if known is None:
            known = self._first(door, given)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[asked] = known
        if known.networks:
            self._check_address(known.networks, given, peer)
        return known.caller

    def _first(self, door: str, given: Sent) -> _Known:
        if not _is_media(given.content_type, door):
            raise Refused(MEDIA)
        account = self._authorized(given.authorization)
        if door == "records" and given.token is None:
            return self._ingesting(given)
        service, token = self._token(given.token, account)
        if not service.is_public:
            if door == "public":
                raise Refused(TOKEN_TYPE)
            return _Known(Caller("private", None), token.networks or self._networks)
        if door == "public":
            return _Known(Caller("public", self._origin(given.origin, service.origins)), ())
        if door == "batch":
            raise Refused(TOKEN_TYPE)
        return _Known(Caller("public", None), ())

    def preflight(self, given: Sent) -> bytes:
        """Return the origin that a preflight request may come from. Raises Refused."""
        return self._origin(given.origin, self._origins)

    def _authorized(self, header: bytes | None) -> int:
        """Return the account of the API key."""
        scheme, _, value = (header or b"").partition(b" ")
        value = value.strip(b" ")
        key = self._api_keys.get(self._digest(value)) if value and len(value) <= 1024 else None
        if key is None or scheme.upper() != b"TD1" or not hmac.compare_digest(key.value, value):
            raise Refused(NO_API_KEY)
        return key.account

    def _token(self, header: bytes | None, account: int) -> tuple[Service, Token]:
        if header is None:
            raise Refused(NO_TOKEN)
        parts = header.split(b"/") if len(header) <= 2048 else []
        if len(parts) != 3 or not parts[2] or not all(_ACCOUNT.fullmatch(part) for part in parts[:2]):
            raise Refused(TOKEN_FORM)
        if int(parts[0]) != account:
            raise Refused(ACCOUNT)
        found = self._tokens.get(self._digest(parts[2]))
        if found is None or not hmac.compare_digest(found[1].value, parts[2]):
            raise Refused(UNKNOWN_TOKEN)
        if (int(parts[0]), int(parts[1])) != (self._account, self._instance):
            raise Refused(UNKNOWN_TOKEN)
        return found

    def _ingesting(self, given: Sent) -> _Known:
        """Return who stores events with an API key alone: a browser by origin, a server by address."""
        if given.origin is not None:
            return _Known(Caller("public", self._origin(given.origin, self._origins)), ())
        return _Known(Caller("private", None), self._networks)

    def _check_address(self, networks: Sequence[Network], given: Sent, peer: str | None) -> None:
        address = client_address(peer, given.forwarded or (), self._trusted)
        if address is None:
            raise Refused(NO_CLIENT)
        if not contains(networks, address):
            raise Refused(ADDRESS)

    def _origin(self, origin: bytes | None, allowed: frozenset[str]) -> bytes:
        text = "" if origin is None else origin.decode("latin-1")
        if text not in allowed and not ("*" in allowed and is_origin(text)):
            raise Refused(ORIGIN)
        return text.encode("latin-1")

    def _digest(self, secret: bytes) -> bytes:
        return blake2b(secret, key=self._salt, digest_size=16).digest()


_SINGLE: Final = b"application/vnd.treasuredata.v1.single+json"


def _is_media(header: bytes | None, door: str) -> bool:
    kind = (header or b"").partition(b";")[0].strip(b" \t").lower()
    if kind == MEDIA_TYPE:
        return True
    # What the ingest API and its clients call the same; rows of a batch are plain JSON.
    others = {"records": (_SINGLE, b"application/vnd.treasuredata.v1.js+json", JSON), "batch": (JSON,)}
    return kind in others.get(door, ())
