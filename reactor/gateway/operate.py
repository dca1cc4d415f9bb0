"""What is not the vendor's: health, metrics, and the inspector's page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reactor.errors import EventError
from reactor.gateway.bodies import DisconnectedError, event_in, read_body
from reactor.gateway.checks import Refused, route_of
from reactor.gateway.inspect import choices, look_up, preview, recent_changes, sent_event
from reactor.gateway.networks import PRIVATE, address_of, client_address, contains
from reactor.gateway.service import Gateway

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

_FILES: Final = {
    "": ("inspector.html", "text/html; charset=utf-8"),
    "inspector.css": ("inspector.css", "text/css; charset=utf-8"),
    "inspector.js": ("inspector.js", "text/javascript; charset=utf-8"),
}
_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
# A form or a page of another site can't send it without a preflight, which nobody answers.
GUARD: Final = "x-reactor-inspector"
_FORWARDED: Final = ("x-forwarded-for", "forwarded", "x-real-ip")


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """What the inspector asks: an event to send or to preview, as text."""

    table: str
    event: str
    audience: str = "public"
    apply: bool = False


class Lookup(msgspec.Struct, forbid_unknown_fields=True):
    """Whose profile the inspector asks for: an identifier."""

    key: str
    value: str


def operator_app(gateway: Gateway) -> Starlette:
    """Return the application for `/healthz`, `/metrics` and `/_inspector`."""

    async def health(request: Request) -> Response:
        state = gateway.state()
        return _json(state, 200 if state["status"] == "ok" else 503)

    async def metrics(request: Request) -> Response:
        return Response(gateway.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def page(request: Request) -> Response:
        name, kind = _FILES.get(request.path_params.get("file", ""), ("", ""))
        if not name:
            return _not_found()
        content = resources.files("reactor.gateway").joinpath("inspector", name).read_bytes()
        return Response(content, headers={**_HEADERS, "content-type": kind})

    guarded = _guard(gateway, is_page=True)
    return Starlette(
        routes=[
            Route("/healthz", health),
            Route("/metrics", _guard(gateway, is_page=False)(metrics)),
            Route("/_inspector", guarded(page)),
            Route("/_inspector/{file}", guarded(page)),
            Route("/_inspector/api/choices", guarded(_choices(gateway))),
            Route("/_inspector/api/event", guarded(_event(gateway)), methods=["POST"]),
            Route("/_inspector/api/profile", guarded(_profile(gateway)), methods=["POST"]),
        ],
        exception_handlers={404: _missing, 405: _missing},
    )


def _choices(gateway: Gateway) -> Endpoint:
    async def answer(request: Request) -> Response:
        return _json(choices(gateway) if gateway.engine is not None else {})

    return answer


def _event(gateway: Gateway) -> Endpoint:
    async def answer(request: Request) -> Response:
        question = await _asked(request, Question, gateway)
        if question is None or question.audience not in ("public", "private"):
            return _not_found(400)
        table = route_of(f"/{question.table.replace('.', '/', 1)}".encode())
        most = gateway.settings.config.limits.event_bytes
        try:
            if table is None:
                return _json({"error": "expected a table such as web.pageviews"}, 400)
            body = question.event.encode("utf-8", "surrogatepass")
            if question.apply:
                return _json(await sent_event(gateway, table.table, body, question.audience))
            return _json(preview(gateway, table.table, event_in(body, most), question.audience))
        except Refused as refused:
            return _json(
                {"error": f"{refused.refusal.code}: {refused.refusal.message}"}, refused.refusal.status
            )
        except EventError as error:
            return _json({"error": str(error)}, 400)

    return answer


def _profile(gateway: Gateway) -> Endpoint:
    async def answer(request: Request) -> Response:
        lookup = await _asked(request, Lookup, gateway)
        if lookup is None or not gateway.is_ready:
            return _not_found(400)
        try:
            profile = look_up(gateway, {lookup.key: lookup.value})
        except EventError as error:
            return _json({"error": str(error)}, 400)
        return _json({"profile": profile, "id_changes": recent_changes(gateway)})

    return answer


async def _asked(request: Request, kind: type[Any], gateway: Gateway) -> Any:
    """Return what a page of this very server asks, or None."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    if request.headers.get(GUARD) != "1" or site != "same-origin" or not gateway.is_ready:
        return None
    most = gateway.settings.config.limits.event_bytes * 2
    length = request.headers.get("content-length")
    try:
        body = await read_body(request.receive, None if length is None else length.encode(), most)
        return msgspec.json.decode(body, type=kind)
    except (Refused, DisconnectedError, msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _guard(gateway: Gateway, *, is_page: bool) -> Callable[[Endpoint], Endpoint]:
    """Show something to those who may see it: to others it is not there."""

    def guard(endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            if not _may_see(gateway, request) or (is_page and not _is_own_name(gateway, request)):
                return _not_found()
            return await endpoint(request)

        return guarded

    return guard


def _may_see(gateway: Gateway, request: Request) -> bool:
    settings = gateway.settings
    if settings.inspector != "private":
        return settings.inspector == "open"
    peer = request.client.host if request.client else None
    forwarded = [value.encode("latin-1") for value in request.headers.getlist("x-forwarded-for")]
    address = client_address(peer, forwarded, settings.trusted)
    proxy = None if peer is None else address_of(peer)
    # Behind a proxy nobody declared, everyone seems to be near.
    is_hidden = any(name in request.headers for name in _FORWARDED) and (
        proxy is None or not contains(settings.trusted, proxy)
    )
    return address is not None and not is_hidden and contains(PRIVATE, address)


def _is_own_name(gateway: Gateway, request: Request) -> bool:
    """Tell whether the host is named as only this machine is: a foreign name may point here by design."""
    if gateway.settings.inspector == "open":
        return True
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    is_local = host == "localhost" or host.endswith(".localhost")
    return is_local or address_of(host) is not None or host == gateway.settings.host


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, _HEADERS, "application/json")


def _not_found(status: int = 404) -> Response:
    return _json({"code": status, "message": "No such path." if status == 404 else "Not understood."}, status)


async def _missing(request: Request, error: Exception) -> Response:
    return _not_found()
