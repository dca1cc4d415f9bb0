"""What the gateway's tests share: a gateway file, a running server, and requests to it."""

from __future__ import annotations

import http.client
import io
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from reactor.gateway.logs import Log
from reactor.gateway.server import bind, make_server
from reactor.gateway.service import Clock, Gateway
from reactor.gateway.settings import load_settings

MEDIA = "application/vnd.treasuredata.v1+json"
ORIGIN = "https://shop.example"
KEY = "TD1 12345/0123456789abcdef0123456789abcdef01234567"
PUBLIC = "12345/3/0123456789abcdef0123456789abcdef"
PRIVATE = "12345/3/fedcba9876543210fedcba9876543210"
ABROAD = "12345/3/00000000000000000000000000000001"  # private, for another network only
OFFER = {"Hello": {"attributes": {"visits": 1}, "batch_segments": None}}
SECRET = {"attributes": {"tier": "gold"}, "batch_segments": [{"id": "1001"}]}

CONFIG: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "identity": {"secret": "s", "lookup_key": "customer_id", "keys": ["td_client_id", "customer_id"]},
    "tables": {"web_db.orders": {"time": "ordered_at"}},
    "key_events": {"view": "web_db.pageviews", "order": "web_db.orders"},
    "attributes": {
        "visits": {"type": "counter", "on": "view", "window": "7d"},
        "tier": {"type": "imported", "dtype": "string", "sensitive": True},
    },
    "segments": {"1001": "regular"},
    "personalizations": {
        "home": {
            "sections": {
                "Hello": {"on": "view", "payload": {"attributes": {"visits": "visits"}}},
                "Loyal": {
                    "on": "view",
                    "when": "tier = 'gold'",
                    "payload": {"attributes": {"tier": "tier"}, "segments": ["1001"]},
                },
            }
        }
    },
}

GATEWAY: dict[str, Any] = {
    "version": 1,
    "config": CONFIG,
    "account": 12345,
    "instance": 3,
    "listen": "127.0.0.1:0",
    "api_keys": [KEY.partition(" ")[2], "777/another"],
    "services": [
        {
            "name": "web",
            "public": True,
            "origins": [ORIGIN],
            "tokens": [{"name": "page", "value": PUBLIC.rpartition("/")[2]}],
        },
        {
            "name": "server",
            "tokens": [
                {"name": "shop", "value": PRIVATE.rpartition("/")[2]},
                {"name": "abroad", "value": ABROAD.rpartition("/")[2], "allowed_ips": ["203.0.113.0/24"]},
            ],
        },
    ],
    "journal": "none",
}

CLOCK = Clock(time.time, time.perf_counter, lambda: str(uuid.uuid4()), lambda count: bytes(range(count)))


class Answer(NamedTuple):
    """An answer: its status, its headers by lower-case name, its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Running(NamedTuple):
    """A server that runs, and its log."""

    gateway: Gateway
    port: int
    log: io.StringIO

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """Send one request on a connection of its own. body: bytes, or what JSON is made of."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, content, dict(headers or {}))
            got = connection.getresponse()
            return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        finally:
            connection.close()

    def post(self, body: Any, path: str = "/web_db/pageviews", **headers: str | None) -> Answer:
        """Post an event as a server does; a header given as None is left out, `_` stands for `-`."""
        return self.ask("POST", path, server_headers(**headers), body)

    def browse(self, body: Any, path: str = "/public/web_db/pageviews", **headers: str | None) -> Answer:
        """Post an event as a page does."""
        given = {"wp13n_token": PUBLIC, "origin": ORIGIN, **headers}
        return self.ask("POST", path, server_headers(**given), body)

    def raw(self, content: bytes, *, finish: bool = False) -> bytes:
        """Send bytes, and return all that comes back until the server closes or 5 seconds pass."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            got = b""
            try:
                connection.sendall(content)
                if finish:
                    connection.shutdown(socket.SHUT_WR)
                while data := connection.recv(65536):
                    got += data
            except OSError:
                pass
            return got


def server_headers(**headers: str | None) -> dict[str, str]:
    """Return the headers of a server's request, changed as said."""
    given: dict[str, str | None] = {
        "content_type": MEDIA,
        "authorization": KEY,
        "wp13n_token": PRIVATE,
        **headers,
    }
    return {name.replace("_", "-"): value for name, value in given.items() if value is not None}


@contextmanager
def running(**changes: Any) -> Iterator[Running]:
    """Run a server of `GATEWAY` with changes, on a port of its own, in a thread."""
    settings = load_settings({**GATEWAY, **changes}, environ={})
    log = io.StringIO()
    gateway = Gateway(settings, CLOCK, Log(log, CLOCK.now, "requests"))
    listening = bind(settings)
    port = listening.getsockname()[1]
    server = make_server(gateway)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        wait(lambda: gateway.is_ready or not thread.is_alive())
        assert gateway.start_error is None
        yield Running(gateway, port, log)
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def wait(done: Any, seconds: float = 20) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
