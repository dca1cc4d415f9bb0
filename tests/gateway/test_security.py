"""What an attacker may try, and what comes of it. The list with outcomes is in `docs/guides/operate.md`."""

from __future__ import annotations

import gc
import json
import socket
import sys
import time
from collections.abc import Iterator

import pytest
from running import CLOCK, KEY, MEDIA, OFFER, ORIGIN, PRIVATE, PUBLIC, Running, running, server_headers

from reactor.gateway.checks import Checks, Refused, sent
from reactor.gateway.networks import PRIVATE as PRIVATE_NETWORKS
from reactor.gateway.networks import address_of, client_address, contains, network_of
from reactor.gateway.settings import Settings

HEAD = (
    f"POST /web_db/pageviews HTTP/1.1\r\nHost: x\r\nContent-Type: {MEDIA}\r\n"
    f"Authorization: {KEY}\r\nWP13n-Token: {PRIVATE}\r\n"
).encode()


@pytest.fixture(scope="module")
def hasty() -> Iterator[Running]:
    """Give a server that waits a second for a request to be whole, and whose account has a whitelist."""
    with running(limits={"patience": "1s", "header": "8KB"}, allowed_ips=["127.0.0.1"]) as server:
        yield server


def alive(server: Running) -> None:
    """Check that the server still answers a good request."""
    assert server.post({}).json == {"offers": OFFER}


SMUGGLING = {
    "both lengths": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}",
    "a length with a sign": b"Content-Length: +2\r\n\r\n{}",
    "a negative length": b"Content-Length: -2\r\n\r\n{}",
    "a length that is none": b"Content-Length: two\r\n\r\n{}",
    "a huge length": b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a coding behind chunked": b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\n{}",
    "a folded header": b"X-A: 1\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    "a bare line feed": b"X-A: 1\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    "a NUL in a header": b"X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "a chunk longer than it says": b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("rest", SMUGGLING.values(), ids=SMUGGLING)
def test_smuggling(hasty: Running, rest: bytes) -> None:
    """A request whose end is in doubt is refused, and its connection ends: no second one is found in it."""
    second = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    got = hasty.raw(HEAD + rest + second)
    assert got.count(b"HTTP/1.1 ") <= 1
    assert b'{"status"' not in got
    assert not got or got.startswith(b"HTTP/1.1 400")
    alive(hasty)


def test_pipelined_requests_are_answered_in_order(hasty: Running) -> None:
    """Well-formed requests behind one another are each answered."""
    got = hasty.raw(
        (HEAD + b"Content-Length: 2\r\n\r\n{}") * 3
        + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert got.count(b"HTTP/1.1 200") == 4
    assert got.rindex(b'{"status"') > got.rindex(b'{"offers"')


def test_oversize_bodies(hasty: Running) -> None:
    """Over a megabyte is refused: by its stated length before it is sent, in chunks when it is reached."""
    got = hasty.raw(HEAD + b"Content-Length: 5000000000\r\n\r\n" + b"x" * 1000)
    assert b'"code":3004' in got
    assert b"connection: close" in got
    chunks = (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 80
    got = hasty.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert got == b"" or b'"code":3004' in got
    alive(hasty)


def test_slow_clients(hasty: Running) -> None:
    """Who sends a head or a body too slowly is cut off; who sends nothing too."""
    begun = time.monotonic()
    for beginning in (b"", b"P", HEAD, HEAD + b"Content-Length: 10\r\n\r\n{"):
        with socket.create_connection(("127.0.0.1", hasty.port), timeout=5) as connection:
            connection.sendall(beginning)
            assert connection.recv(100) == b""
    assert time.monotonic() - begun < 15
    alive(hasty)


def test_huge_heads(hasty: Running) -> None:
    """One long header, one that never ends, many short ones, a long path: 400, and memory stays."""
    for head in (
        HEAD + b"X: " + b"x" * 20_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"X: " + b"x" * 3_000_000,
        HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(2_000)) + b"Content-Length: 2\r\n\r\n{}",
        b"POST /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        got = hasty.raw(head)
        assert got == b"" or got.startswith(b"HTTP/1.1 400")
    alive(hasty)


@pytest.mark.parametrize(
    ("twice", "code"),
    [
        (f"WP13n-Token: {PRIVATE}", 3003),
        (f"Authorization: {KEY}", 401),
        (f"Content-Type: {MEDIA}", 415),
    ],
)
def test_duplicate_headers(server: Running, twice: str, code: int) -> None:
    """A header that decides may stand once: who reads the first and who reads the last don't agree."""
    got = server.raw(HEAD + twice.encode() + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    assert f'"code":{code}'.encode() in got


def test_duplicate_origins(server: Running) -> None:
    """An allowed origin beside another one is none."""
    head = HEAD.replace(b"/web_db", b"/public/web_db").replace(PRIVATE.encode(), PUBLIC.encode())
    both = f"Origin: {ORIGIN}\r\nOrigin: https://evil.example\r\n".encode()
    got = server.raw(head + both + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
    assert b'"code":3007' in got
    assert b"access-control" not in got


@pytest.mark.parametrize(
    "target", ["http://evil.example/web_db/pageviews", "/web_db/pageviews#x", "*", "evil:443"]
)
def test_odd_targets(server: Running, target: str) -> None:
    """A whole URL as target is its path; what is no path is refused."""
    got = server.raw(
        HEAD.replace(b"/web_db/pageviews", target.encode())
        + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    )
    assert got[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 404", b"")
    alive(server)


@pytest.mark.parametrize("token", ["ключ", "\u202e0123", "🔑", "0123456789abcdef0123456789abcdef\u200b"])
def test_unicode_tokens(server: Running, token: str) -> None:
    """Bytes that are no ASCII are an unknown token like any other."""
    head = HEAD.replace(PRIVATE.encode(), b"12345/3/" + token.encode())
    got = server.raw(head + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
    assert b'"code":3001' in got


def test_addresses() -> None:
    """IPv6, mapped IPv4, zones and odd spellings mean what the system means, or nothing."""
    allowed = [network_of("10.0.0.0/8"), network_of("2001:db8::/32"), network_of("::ffff:192.0.2.0/120")]
    inside = ("10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203", "2001:db8::1", "2001:DB8:0:0::1", "192.0.2.7")
    outside = ("11.0.0.1", "::ffff:11.0.0.1", "2001:db9::1", "::10.1.2.3", "64:ff9b::a01:203", "192.0.3.1")
    for text in inside:
        address = address_of(text)
        assert address is not None
        assert contains(allowed, address), text
    for text in outside:
        address = address_of(text)
        assert address is not None
        assert not contains(allowed, address), text
    for text in (
        "010.1.2.3",
        "10.1.2",
        "0x0a.1.2.3",
        "167838211",
        "10.1.2.3/32",
        "",
        " ",
        "x" * 100,
        "10.1.2.3:80",
    ):
        assert address_of(text) is None, text
    assert not contains(PRIVATE_NETWORKS, network_of("169.254.169.254")[0])


def test_forwarded_for_is_believed_from_proxies_only() -> None:
    """From the right, the first address that no trusted proxy has; whatever the client wrote on the left."""
    proxies = [network_of("10.0.0.0/8")]
    cases = (
        ("203.0.113.9", [b"10.0.0.1"], "203.0.113.9"),
        ("10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"10.0.0.2, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"127.0.0.1", b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"127.0.0.1, 198.51.100.1, 10.3.3.3"], "198.51.100.1"),
        ("::ffff:10.0.0.1", [b"2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", [], "10.0.0.1"),
    )
    for peer, forwarded, expected in cases:
        assert address_of(expected) == client_address(peer, forwarded, proxies)
    for forwarded in ([b""], [b"unknown"], [b"10.0.0.9, garbage"], [b"1.2.3.4:80"]):
        assert client_address("10.0.0.1", forwarded, proxies) is None
    assert client_address(None, [b"10.0.0.1"], proxies) is None


def test_patterns_on_hostile_text() -> None:
    """A pattern that stops other engines for minutes takes linear time."""
    config = {
        "version": 1,
        "name": "p",
        "identity": {"secret": "s", "keys": {"email": {"valid": "^(([a-z])+.)+[A-Z]([a-z])+$"}}},
        "key_events": {"view": {"table": "web_db.pageviews", "where": "regexp_like(td_path, '^(a+)+$')"}},
        "personalizations": {"h": {"sections": {"S": {"on": "view", "payload": {"strings": {"a": "b"}}}}}},
    }
    with running(config=config) as server:
        begun = time.monotonic()
        for _ in range(5):
            answer = server.post({"td_path": "a" * 2_000 + "!", "email": "a" * 500, "x": "a" * 900_000})
            assert answer.json == {"offers": {}}
        assert time.monotonic() - begun < 10


def test_deep_and_wide_json(server: Running) -> None:
    """Depth is refused, width is taken; neither stops the server."""
    for depth in (1_000, 100_000):
        body = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        assert server.post(body).status in (200, 400)
    wide = {f"column_{n}": n for n in range(20_000)}
    assert server.post(wide).status == 200
    assert server.post(b'{"n": 1e999, "big": ' + b"9" * 5_000 + b"}").status in (200, 400)
    assert server.post(b'{"s": "\\ud800"}').status == 200


def test_many_bad_tokens_take_no_memory(settings: Settings) -> None:
    """Nothing of a refused token is kept: some here, a million by `python tests/gateway/tokens.py`."""
    assert bad_tokens(settings, 20_000) < 500


def bad_tokens(settings: Settings, count: int) -> int:
    """Ask with distinct unknown tokens; return how many more blocks of memory are held than before."""
    checks = Checks(settings, CLOCK.random(32))
    names = [
        (name.lower().encode(), value.encode()) for name, value in server_headers(wp13n_token=None).items()
    ]
    held = 0
    for number in range(-100, count):
        if number == 0:
            gc.collect()
            held = sys.getallocatedblocks()
        try:
            checks.caller("server", sent([*names, (b"wp13n-token", b"12345/3/x%d" % number)]), "127.0.0.1")
        except Refused:
            continue
        raise AssertionError("a bad token was let in")
    gc.collect()
    return sys.getallocatedblocks() - held


def test_logs_and_metrics_hold_no_value(server: Running) -> None:
    """Neither a token, nor a key, nor anything of an event, good or bad."""
    secret = "value-that-must-not-be-seen"
    server.post({"td_client_id": secret, "note": secret})
    server.post(f'{{"td_client_id": "{secret}", "time": "{secret}"}}'.encode())
    server.post({}, wp13n_token=f"12345/3/{secret}")
    server.post({}, authorization=f"TD1 1/{secret}")
    server.browse({}, origin=f"https://{secret}.example")
    server.post({}, f"/web_db/{secret.replace('-', '_')}")
    log = server.log.getvalue()
    for text in (secret, PRIVATE.rpartition("/")[2], PUBLIC.rpartition("/")[2], KEY.partition("/")[2]):
        assert text not in log
        assert text not in repr(server.gateway.settings)
        assert text.encode() not in server.ask("GET", "/metrics").body
    assert all(json.loads(line)["event"] for line in log.splitlines())


def test_a_bug_is_9999_and_told_by_its_place(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception nobody foresaw is answered; its text, which may hold values, goes nowhere."""

    def broken(*arguments: object, **named: object) -> None:
        raise RuntimeError("with-a-secret-in-it")

    monkeypatch.setattr(server.gateway.engine, "process", broken)
    answer = server.post({})
    assert (500, {"code": 9999, "message": "Unknown/undiagnosed"}) == (answer.status, answer.json)
    last = json.loads(server.log.getvalue().splitlines()[-2])
    assert last["error"].startswith("RuntimeError at ")
    assert "with-a-secret" not in server.log.getvalue()
