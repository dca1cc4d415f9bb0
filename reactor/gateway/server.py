"""The server: uvicorn in this process, with bounds on what a connection may take."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reactor.gateway.app import App
from reactor.gateway.errors import GatewayError
from reactor.gateway.service import Gateway
from reactor.gateway.settings import Settings

_IDLE_S: Final = 20
# The journal's thread asks for the interpreter after each sync: the usual 5 ms would be each answer's.
_SWITCH_S: Final = 0.0005
_QUIET: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {
        name: {"level": "CRITICAL", "handlers": [], "propagate": False}
        for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio")
    },
}


class _Server(uvicorn.Server):
    """uvicorn's server, which ends a drained run as done, where uvicorn hands the signal on."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as the wish to stop; the second one stops at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class BoundedProtocol(HttpToolsProtocol):
    """A connection that is closed when a request's head is too long, or the request too slow to arrive."""

    most_bytes = 32_000
    patience_s = 10.0

    _is_in_head = True
    _received = _head_bytes = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            self._received += len(data)
        super().data_received(data)
        # The parser keeps an unfinished line, however long it grows.
        if self._is_in_head and self._received > self.most_bytes and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        self._received = self._head_bytes = 0
        self._await_request()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._forget()
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.most_bytes:
            raise httptools.HttpParserError("the head is too long")

    def _await_request(self) -> None:
        self._forget()
        self._patience = self.loop.call_later(self.patience_s, self._lose_patience)

    def _forget(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def bounded_protocol(settings: Settings) -> type[HttpToolsProtocol]:
    """Return the HTTP protocol for a gateway's limits."""
    limits = settings.limits
    bounds = {"most_bytes": limits.header_bytes, "patience_s": limits.patience_s}
    return type("Bounded", (BoundedProtocol,), bounds)


def make_server(gateway: Gateway, app: App | None = None) -> uvicorn.Server:
    """Return the server for a gateway; it ends by itself if the gateway can't start.

    app: the application, if it is more than the gateway's own.
    Raises GatewayError if the certificate can't be used.
    """
    settings = gateway.settings
    serving = App(gateway) if app is None else app
    certificate, key = settings.tls or (None, None)
    config = uvicorn.Config(
        serving,
        host=settings.host,
        port=settings.port,
        http=bounded_protocol(settings),
        ws="none",
        lifespan="on",
        loop="uvloop",
        log_config=_QUIET,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.limits.connections,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=int(settings.limits.drain_s),
        backlog=1024,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or str(error)
    else:
        server = _Server(config)
        serving.on_failure = lambda: setattr(server, "should_exit", True)
        return server
    raise GatewayError(f"tls: the certificate can't be used: {reason}")


def serve(gateway: Gateway, sockets: list[socket.socket] | None = None, app: App | None = None) -> None:
    """Serve until a signal says to stop; then drain, and write a last snapshot.

    sockets: those to listen on, in place of the settings' address.
    Raises what kept the gateway from starting.
    """
    serving = App(gateway) if app is None else app
    serving.on_ready = _spare_collector
    server = make_server(gateway, serving)
    sys.setswitchinterval(_SWITCH_S)
    server.run(sockets)
    if gateway.start_error is not None:
        raise gateway.start_error


def _spare_collector() -> None:
    """Keep the collector from visiting profiles, which live long and are in no cycle.

    What was restored is frozen; what comes later is visited young, and then once in a hundred
    thousand times: a full collection over a million profiles is a pause of seconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 10, 100_000)


def bind(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say. Raises GatewayError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        reason = error.strerror or "the system gives no reason"
    else:
        return listening
    listening.close()
    raise GatewayError(f"listen: can't listen at {settings.host}:{settings.port}: {reason}")
