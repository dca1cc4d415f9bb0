"""The ASGI application: requests to calls, outcomes to answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec

from reactor.gateway import checks, cors
from reactor.gateway.bodies import (
    DisconnectedError,
    Message,
    Receive,
    drain,
    event_in,
    events_in,
    read_body,
    rows_in,
)
from reactor.gateway.checks import Caller, Checks, Refusal, Refused, Route, Sent, route_of, sent
from reactor.gateway.logs import place_of
from reactor.gateway.operate import operator_app
from reactor.gateway.recovery import pack_rows
from reactor.gateway.service import Gateway
from reactor.gateway.watch import watch_batch_file
from reactor.payload import Outcome

Scope: TypeAlias = dict[str, Any]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_JSON: Final = (b"content-type", b"application/json")
_NO_STORE: Final = (b"cache-control", b"no-store")
_RETRY: Final = (b"retry-after", b"1")
_CLOSE: Final = (b"connection", b"close")
_AUTHENTICATE: Final = (b"www-authenticate", b"TD1")
_OPERATOR: Final = (b"/healthz", b"/metrics", b"/_inspector")


class _Answer:
    """One answer in the making: what it is counted under, and the headers it has earned so far."""

    __slots__ = ("begun", "code", "door", "headers", "status")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.door = "none"
        self.status, self.code = 200, 0
        self.headers: cors.Headers = []


class App:
    """The application for one gateway: the vendor's API, and what operates it.

    on_failure: called if the gateway can't start. on_ready: called when its state is restored.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.on_failure: Callable[[], None] = lambda: None
        self.on_ready: Callable[[], None] = lambda: None
        self._settings = gateway.settings
        self._limits = gateway.settings.limits
        self._event_bytes = gateway.settings.config.limits.event_bytes
        self._checks = Checks(gateway.settings, gateway.clock.random(32))
        self._operator = operator_app(gateway)
        self._open = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, or the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            path = raw_path(scope)
            if path.startswith(_OPERATOR) and path.partition(b"/")[2].partition(b"/")[0] in _NAMES:
                await self._operator(scope, receive, send)
            else:
                await self._serve(scope, path, receive, send)

    # The API

    async def _serve(self, scope: Scope, path: bytes, receive: Receive, send: Send) -> None:
        timer = self.gateway.clock.timer
        answer = _Answer(timer())
        given = sent(scope["headers"])
        self._open += 1
        try:
            body = await self._body_of(scope, path, given, receive, answer)
        except Refused as refused:
            body = await self._refuse(refused.refusal, given, receive, answer)
        except DisconnectedError:
            return
        except Exception as error:
            # The door: whatever it was is answered, and told by its place only.
            self.gateway.log.fault("request failed", error=place_of(error), door=answer.door)
            body = await self._refuse(checks.UNKNOWN, given, receive, answer)
        finally:
            self._open -= 1
        await _send(send, answer, body)
        self._count(answer, timer() - answer.begun)

    async def _body_of(
        self, scope: Scope, path: bytes, given: Sent, receive: Receive, answer: _Answer
    ) -> bytes:
        method = scope.get("method")
        if not method:
            raise Refused(checks.NO_METHOD)
        route = route_of(path)
        if method == "OPTIONS" and (route is None or route.door in ("public", "records")):
            return self._preflight(route, given, answer)
        if method != "POST":
            raise Refused(checks.METHOD)
        if route is None:
            raise Refused(checks.NOT_FOUND)
        answer.door = route.door
        client = scope.get("client")
        caller = self._checks.caller(route.door, given, client[0] if client else None)
        if caller.origin is not None:
            answer.headers += cors.answer_headers(caller.origin)
        if self._open > self._limits.requests:
            raise Refused(checks.TOO_MANY)
        if not self.gateway.is_ready:
            self.gateway.check_room(1)
        return await _DOORS[route.door](self, route, caller, given, receive)

    def _preflight(self, route: Route | None, given: Sent, answer: _Answer) -> bytes:
        answer.door = "preflight"
        if route is None:
            raise Refused(checks.NOT_FOUND)
        answer.headers += cors.preflight_headers(self._checks.preflight(given))
        answer.status = 204
        return b""

    async def _personalize(self, route: Route, caller: Caller, given: Sent, receive: Receive) -> bytes:
        body = await _read(receive, given, self._event_bytes)
        event = event_in(body, self._event_bytes)
        _, future = self.gateway.submit(route.table, body, event, caller.audience)
        outcome = await future
        assert isinstance(outcome, Outcome)
        return outcome.json()

    async def _ingest(self, route: Route, caller: Caller, given: Sent, receive: Receive) -> bytes:
        limits = self._limits
        body = await _read(receive, given, limits.ingest_bytes)
        events = events_in(body, limits.ingest_bytes, limits.ingest_events, self._event_bytes)
        self.gateway.check_times(route.table, [event for _, event in events])
        self.gateway.check_room(len(events))
        taken = [
            self.gateway.submit(route.table, text, event, caller.audience, stored_only=True)
            for text, event in events
        ]
        await asyncio.gather(*(future for _, future in taken))
        return msgspec.json.encode({"receipts": [{"id": uuid} for uuid, _ in taken]})

    async def _load_rows(self, route: Route, caller: Caller, given: Sent, receive: Receive) -> bytes:
        most = self._limits.batch_bytes
        rows, replace = rows_in(await _read(receive, given, most), most)
        report = await self.gateway.submit_rows(pack_rows(rows, replace=replace))
        return msgspec.json.encode(report)

    async def _refuse(self, refusal: Refusal, given: Sent, receive: Receive, answer: _Answer) -> bytes:
        answer.status, answer.code = refusal.status, refusal.code
        if refusal.status == 429:
            answer.headers.append(_RETRY)
        if refusal.status == 401:
            answer.headers.append(_AUTHENTICATE)
        if not given.is_read and not await drain(receive, given.length or b"0"):
            answer.headers.append(_CLOSE)
        return refusal.body()

    def _count(self, answer: _Answer, seconds: float) -> None:
        self.gateway.metrics.answered(answer.door, answer.status, answer.code, seconds)
        if self.gateway.log.requests:
            self.gateway.log.info(
                "request", door=answer.door, status=answer.status, code=answer.code, seconds=round(seconds, 6)
            )

    # Life

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                # Restoring may take a while: meanwhile requests are answered 2015, and `/healthz` says so.
                self._tasks.append(asyncio.create_task(self._start()))
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _start(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.gateway.open)
        except Exception as error:
            self.gateway.start_error = error
            self.on_failure()
            return
        self.on_ready()
        self.gateway.start()
        self.gateway.log.info("ready", url=self._settings.url)
        if self._settings.batch_file is not None:
            self._tasks.append(asyncio.create_task(watch_batch_file(self.gateway, self._settings.batch_file)))

    async def _stop(self) -> None:
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.gateway.close()
        self.gateway.log.info("stopped")


_NAMES: Final = frozenset(name.removeprefix(b"/") for name in _OPERATOR)
_DOORS: Final = {
    "server": App._personalize,
    "public": App._personalize,
    "records": App._ingest,
    "batch": App._load_rows,
}


def raw_path(scope: Scope) -> bytes:
    """Return a request's path as it was sent, without the query."""
    path = scope.get("raw_path")
    return scope["path"].encode() if path is None else bytes(path).partition(b"?")[0]


async def _read(receive: Receive, given: Sent, most_bytes: int) -> bytes:
    body = await read_body(receive, given.length, most_bytes)
    given.is_read = True
    return body


async def _send(send: Send, answer: _Answer, body: bytes) -> None:
    headers = [_NO_STORE, *answer.headers]
    if answer.status != 204:
        headers += [_JSON, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
