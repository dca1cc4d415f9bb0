"""The table of the API: a request, and the status, code, headers and body that answer it.

Each case is one request that differs from a good one in one place; the order of the checks is
tested by requests that are wrong in two.
"""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from running import ABROAD, KEY, MEDIA, OFFER, ORIGIN, PRIVATE, PUBLIC, SECRET, Answer, Running, running

from reactor.gateway.checks import REFUSALS

FRESH = (f"client-{number}" for number in count())
CORS = {"access-control-allow-origin": ORIGIN, "access-control-allow-credentials": "true", "vary": "Origin"}
EVENT_PATH, PAGE_PATH = "/web_db/pageviews", "/public/web_db/pageviews"
TEXT = {refusal.code: refusal.message for refusal in REFUSALS}

# (headers changed, path, status, code); the request is otherwise good for its path
BY_HEADERS: tuple[tuple[dict[str, str | None], str, int, int], ...] = (
    ({"content_type": None}, EVENT_PATH, 415, 415),
    ({"content_type": "application/json"}, EVENT_PATH, 415, 415),
    ({"content_type": "application vnd.treasuredata.v1+json"}, EVENT_PATH, 415, 415),
    ({"content_type": "text/plain"}, PAGE_PATH, 415, 415),
    ({"authorization": None}, EVENT_PATH, 401, 401),
    ({"authorization": "TD1 12345/unknown"}, EVENT_PATH, 401, 401),
    ({"authorization": KEY.removeprefix("TD1 ")}, EVENT_PATH, 401, 401),
    ({"authorization": "Bearer " + KEY.removeprefix("TD1 ")}, EVENT_PATH, 401, 401),
    ({"authorization": "TD1 "}, PAGE_PATH, 401, 401),
    ({"wp13n_token": None}, EVENT_PATH, 400, 3000),
    ({"wp13n_token": None}, PAGE_PATH, 400, 3000),
    ({"wp13n_token": ""}, EVENT_PATH, 400, 3003),
    ({"wp13n_token": "0123456789abcdef0123456789abcdef"}, EVENT_PATH, 400, 3003),
    ({"wp13n_token": "12345/3"}, EVENT_PATH, 400, 3003),
    ({"wp13n_token": "12345/3/"}, EVENT_PATH, 400, 3003),
    ({"wp13n_token": "/3/abc"}, EVENT_PATH, 400, 3003),
    ({"wp13n_token": "12345/x/abc"}, EVENT_PATH, 400, 3003),
    ({"wp13n_token": "1e3/3/abc"}, EVENT_PATH, 400, 3003),
    ({"wp13n_token": PRIVATE + "/more"}, EVENT_PATH, 400, 3003),
    ({"wp13n_token": PRIVATE.replace("12345", "54321")}, EVENT_PATH, 400, 3002),
    ({"authorization": "TD1 777/another"}, EVENT_PATH, 400, 3002),
    ({"wp13n_token": "12345/3/not-32-hex-and-unknown"}, EVENT_PATH, 400, 3001),
    ({"wp13n_token": PRIVATE.replace("/3/", "/4/")}, EVENT_PATH, 400, 3001),
    ({"wp13n_token": PRIVATE.upper()}, EVENT_PATH, 400, 3001),
    ({"wp13n_token": PRIVATE}, PAGE_PATH, 400, 3006),
    ({"wp13n_token": ABROAD}, EVENT_PATH, 400, 3005),
    ({"origin": None}, PAGE_PATH, 400, 3007),
    ({"origin": "https://elsewhere.example"}, PAGE_PATH, 400, 3007),
    ({"origin": "http://shop.example"}, PAGE_PATH, 400, 3007),
    ({"origin": "https://shop.example:8443"}, PAGE_PATH, 400, 3007),
    ({"origin": "https://shop.example.evil.example"}, PAGE_PATH, 400, 3007),
    ({"origin": "null"}, PAGE_PATH, 400, 3007),
    ({"origin": "*"}, PAGE_PATH, 400, 3007),
)

BY_BODY: tuple[tuple[bytes, str], ...] = (
    (b"", "nothing"),
    (b"{", "half an object"),
    (b"null", "null"),
    (b"[]", "a list"),
    (b'[{"td_client_id": "a"}]', "a list of events"),
    (b'"text"', "text"),
    (b"7", "a number"),
    (b"\xff{}", "no UTF-8"),
    (b'{"a": 1} {"b": 2}', "two objects"),
    (b'{"time": "now"}', "a time of text"),
    (b'{"time": "1700000000"}', "a time of digits"),
    (b'{"time": 1.5}', "half a second"),
    (b'{"time": -1}', "before 1970"),
    (b'{"time": 253402300800}', "after 9999"),
    (b'{"time": true}', "a time that is true"),
    (b'{"time": [1]}', "a time that is a list"),
    (b"[" * 100_000, "very deep"),
    (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "very deep objects"),
    (b'{"a": "' + b"x" * 1_000_000 + b'"}', "over 1 MB"),
)

METHODS = ("GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE", "OPTIONS")
NO_PATHS = (
    "/",
    "/web_db",
    "/web_db/",
    "/web_db/pageviews/",
    "//web_db/pageviews",
    "/web_db//pageviews",
    "/web_db/pageviews/x",
    "/ab/pageviews",
    "/web_db/" + "x" * 129,
    "/WEB_DB/pageviews",
    "/web-db/pageviews",
    "/web_db/%70ageviews",
    "/web_db/..%2fpageviews",
    "/x/../web_db/pageviews",
    "/public/web_db/pageviews/x",
    "/private/web_db/pageviews",
    "/entities/realtime_personalizations/x",
)


def refused(answer: Answer, status: int, code: int) -> None:
    """Check an answer that is a refusal: its status, code, message, type, and that it has no CORS headers."""
    assert (status, {"code": code, "message": TEXT[code]}) == (answer.status, answer.json)
    assert answer.headers["content-type"] == "application/json"
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(("headers", "path", "status", "code"), BY_HEADERS)
def test_refused_by_headers(
    server: Running, headers: dict[str, str | None], path: str, status: int, code: int
) -> None:
    """One header is wrong; nothing of it reaches the engine."""
    before = server.gateway.metrics.text().count(b"reactor_events_total")
    post = server.browse if path == PAGE_PATH else server.post
    refused(post({"td_client_id": "never"}, path, **headers), status, code)
    assert before == server.gateway.metrics.text().count(b"reactor_events_total")
    assert server.gateway.engine is not None
    assert server.gateway.engine.profile({"td_client_id": "never"}) is None


@pytest.mark.parametrize(("body", "what"), BY_BODY, ids=[what for _, what in BY_BODY])
def test_refused_by_body(server: Running, body: bytes, what: str) -> None:
    """The token and the origin were right: a page may read why its event was refused."""
    refused(server.post(body), 400, 3004)
    answer = server.browse(body)
    assert (400, 3004) == (answer.status, answer.json["code"])
    assert CORS.items() <= answer.headers.items()


@pytest.mark.parametrize("method", METHODS)
def test_methods(server: Running, method: str) -> None:
    """Any method but POST is 3009, whatever else is wrong; OPTIONS is for the paths of browsers."""
    for path in (EVENT_PATH, "/nothing") if method != "OPTIONS" else (EVENT_PATH,):
        answer = server.ask(method, path)
        assert answer.status == 400
        assert method == "HEAD" or answer.json == {"code": 3009, "message": "Unsupported method."}


@pytest.mark.parametrize("path", NO_PATHS)
def test_paths(server: Running, path: str) -> None:
    """A path is taken as it was sent: no decoding, no tidying."""
    refused(server.post({}, path), 404, 404)


def test_the_order_of_checks(server: Running) -> None:
    """Of two faults the earlier in the order is told."""
    wrong: list[tuple[int, dict[str, str | None]]] = [
        (415, {"content_type": "text/plain"}),
        (401, {"authorization": None}),
        (3000, {"wp13n_token": None}),
        (3006, {"wp13n_token": PRIVATE}),
        (3007, {"origin": None}),
    ]
    for at, (code, headers) in enumerate(wrong):
        later: dict[str, str | None] = {}
        for _, others in reversed(wrong[at + 1 :]):
            later.update(others)
        assert server.browse(b"{", **{**later, **headers}).json["code"] == code
    assert server.ask("PUT", "/nowhere", {}, b"{").json["code"] == 3009
    assert server.ask("POST", "/nowhere", {}, b"{").json["code"] == 404
    # 3003 before 3002 before 3001; 3005 before 3004
    assert server.post(b"{", wp13n_token="1/x/y").json["code"] == 3003
    assert server.post(b"{", wp13n_token="1/2/unknown").json["code"] == 3002
    assert server.post(b"{", wp13n_token="12345/2/unknown").json["code"] == 3001
    assert server.post(b"{", wp13n_token=ABROAD).json["code"] == 3005


def test_offers_to_a_server(server: Running) -> None:
    """200, the offers, JSON, no CORS headers."""
    answer = server.post({"td_client_id": next(FRESH)})
    assert (200, {"offers": OFFER}) == (answer.status, answer.json)
    assert answer.headers["content-type"] == "application/json"
    assert "access-control-allow-origin" not in answer.headers
    assert server.post({"td_client_id": next(FRESH)}, "/web_db/unknown_table").json == {"offers": {}}


def test_offers_to_a_browser(server: Running) -> None:
    """200 with the exact origin, credentials, and Vary."""
    answer = server.browse({"td_client_id": next(FRESH)})
    assert (200, {"offers": OFFER}) == (answer.status, answer.json)
    assert CORS.items() <= answer.headers.items()


def test_redaction_is_by_token(server: Running) -> None:
    """A public token gets `{}` in a sensitive section's place, on either path; a private one everything."""
    event = {"customer_id": "500"}
    assert server.post(event).json["offers"]["Loyal"] == SECRET
    assert server.browse(event).json["offers"]["Loyal"] == {}
    assert server.post(event, wp13n_token=PUBLIC).json["offers"]["Loyal"] == {}


def test_header_names_and_forms(server: Running) -> None:
    """Names in any case, a parameter behind the media type, a query behind the path."""
    headers = {"CONTENT-TYPE": f"{MEDIA}; charset=utf-8", "authorization": KEY, "WP13N-TOKEN": PRIVATE}
    assert server.ask("POST", EVENT_PATH + "?modified=1", headers, {}).status == 200


def test_a_body_without_identity(server: Running) -> None:
    """`{}` is answered from an empty profile, which is not kept."""
    for _ in range(2):
        assert server.post({}).json == {"offers": OFFER}
    assert server.post({"time": None, "uuid": None}).json == {"offers": OFFER}


def test_the_last_of_repeated_keys_wins(server: Running) -> None:
    first, last = next(FRESH), next(FRESH)
    server.post(f'{{"td_client_id": "{first}", "td_client_id": "{last}"}}'.encode())
    assert server.gateway.engine is not None
    assert server.gateway.engine.profile({"td_client_id": first}) is None
    assert server.gateway.engine.profile({"td_client_id": last}) is not None


def test_preflight(server: Running) -> None:
    """204 and everything by name for an origin of any public service; else 3007 and nothing."""
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    for path in (PAGE_PATH, "/public/other_db/other", "/records/web_db/pageviews"):
        answer = server.ask("OPTIONS", path, asked)
        assert (204, b"") == (answer.status, answer.body)
        assert CORS.items() <= answer.headers.items()
        assert answer.headers["access-control-allow-methods"] == "POST"
        allowed = answer.headers["access-control-allow-headers"].split(", ")
        assert {"content-type", "authorization", "wp13n-token"} <= set(allowed)
    refused(server.ask("OPTIONS", PAGE_PATH, {"origin": "https://elsewhere.example"}), 400, 3007)
    refused(server.ask("OPTIONS", PAGE_PATH), 400, 3007)
    refused(server.ask("OPTIONS", "/public/nothing/", asked), 404, 404)


def test_any_origin() -> None:
    """`*` in the settings is echoed as the origin it stands for, never as itself."""
    services: list[dict[str, Any]] = [
        {"name": "w", "public": True, "origins": ["*"], "tokens": [{"name": "t", "value": "t"}]}
    ]
    with running(services=services) as server:
        answer = server.browse({}, wp13n_token="12345/3/t", origin="http://localhost:3000")
        assert (200, "http://localhost:3000") == (
            answer.status,
            answer.headers["access-control-allow-origin"],
        )
        refused(server.browse({}, wp13n_token="12345/3/t", origin="null"), 400, 3007)
        refused(server.browse({}, wp13n_token="12345/3/t", origin=None), 400, 3007)


def test_ingest(server: Running) -> None:
    """One object, a list, or the SDK's `events`: stored, applied, no offers."""
    who = next(FRESH)
    event = {"td_client_id": who}
    for body, number in ((event, 1), ([event, event], 2), ({"events": [event]}, 1)):
        answer = server.post(body, "/records/web_db/pageviews")
        assert answer.status == 200
        assert [list(receipt) for receipt in answer.json["receipts"]] == [["id"]] * number
    assert server.post(event).json["offers"]["Hello"]["attributes"]["visits"] == 5
    given = {"td_client_id": who, "uuid": "0b3b1b1e-0000-4000-8000-000000000001"}
    assert server.post(given, "/records/web_db/pageviews").json == {"receipts": [{"id": given["uuid"]}]}


def test_ingest_is_all_or_nothing(server: Running) -> None:
    """A list with a bad event is refused whole."""
    who = next(FRESH)
    good = {"td_client_id": who}
    bad: tuple[Any, ...] = ([good, 7], [good, {"time": "x"}], [], [good] * 501, 7, {"events": []})
    for body in bad:
        refused(server.post(body, "/records/web_db/pageviews"), 400, 3004)
    refused(server.post([good, {"ordered_at": "?"}], "/records/web_db/orders"), 400, 3004)
    assert server.gateway.engine is not None
    assert server.gateway.engine.profile(good) is None


def test_who_may_ingest(server: Running) -> None:
    """The API key is enough; a token is checked if it is there; a browser needs an allowed origin."""
    path = "/records/web_db/pageviews"
    assert server.post({}, path, wp13n_token=None).status == 200
    assert server.post({}, path, wp13n_token=PUBLIC).status == 200
    for kind in ("application/json", "application/vnd.treasuredata.v1.single+json"):
        assert server.post({}, path, content_type=kind).status == 200
    refused(server.post({}, path, authorization=None), 401, 401)
    refused(server.post({}, path, wp13n_token="12345/3/unknown"), 400, 3001)
    refused(server.post({}, path, wp13n_token=ABROAD), 400, 3005)
    refused(server.post({}, path, wp13n_token=None, origin="https://elsewhere.example"), 400, 3007)
    answer = server.post({}, path, wp13n_token=None, origin=ORIGIN)
    assert CORS.items() <= answer.headers.items()


def test_batch_rows() -> None:
    """Rows replace the table, or those they name; a private token only."""
    with running() as server:
        event = {"customer_id": "7"}
        one = [{"customer_id": "7", "tier": "gold", "segments": ["1001"]}]
        other = {"rows": [{"customer_id": "8", "tier": "gold"}], "replace": False}
        assert server.post(one, "/_batch").json["rows"] == 1
        assert server.post(other, "/_batch", content_type="application/json").status == 200
        assert server.post(event).json["offers"]["Loyal"] == SECRET
        assert server.post([], "/_batch").status == 200
        assert "Loyal" not in server.post(event).json["offers"]
        refused(server.post(one, "/_batch", wp13n_token=PUBLIC), 400, 3006)
        refused(server.post(one, "/_batch", wp13n_token=None), 400, 3000)
        refused(server.post(one, "/_batch", wp13n_token=ABROAD), 400, 3005)
        for body in ({"customer_id": "7"}, [7], {"rows": one, "replace": 1}, 7):
            refused(server.post(body, "/_batch"), 400, 3004)


def test_account_whitelist() -> None:
    """A private token without addresses of its own is held to the account's; a public one to none."""
    with running(allowed_ips=["203.0.113.7"], trusted_proxies=["127.0.0.1"]) as server:
        refused(server.post({}), 400, 3005)
        assert server.post({}, x_forwarded_for="203.0.113.7").status == 200
        assert server.post({}, x_forwarded_for="203.0.113.7, 127.0.0.1").status == 200
        refused(server.post({}, x_forwarded_for="203.0.113.7, 198.51.100.1"), 400, 3005)
        refused(server.post({}, x_forwarded_for="nobody"), 500, 3013)
        assert server.post({}, wp13n_token=ABROAD, x_forwarded_for="203.0.113.99").status == 200
        assert server.browse({}).status == 200
    with running(allowed_ips=["203.0.113.7"]) as server:
        refused(server.post({}, x_forwarded_for="203.0.113.7"), 400, 3005)


def test_a_repeated_uuid_is_applied_once(server: Running) -> None:
    """It is answered from the profile as it is; in another table it is another event."""
    event = {"td_client_id": next(FRESH), "uuid": "8c5bd4d6-0000-4000-8000-000000000001"}
    visits = [server.post(event).json["offers"]["Hello"]["attributes"]["visits"] for _ in range(3)]
    assert visits == [1, 1, 1]
    receipts = server.post([event, event], "/records/web_db/pageviews").json["receipts"]
    assert receipts == [{"id": event["uuid"]}] * 2
    assert server.post(event, "/web_db/orders").status == 200
    fresh = {**event, "uuid": "another"}
    assert server.post(fresh).json["offers"]["Hello"]["attributes"]["visits"] == 2


def test_every_refusal_is_of_the_documented_kind() -> None:
    """A body has a code and a message; the codes are told apart; a documented code has its status."""
    codes = [refusal.code for refusal in REFUSALS]
    assert len(set(codes)) == len(codes)
    for refusal in REFUSALS:
        assert json.loads(refusal.body()) == {"code": refusal.code, "message": refusal.message}
        kinds = {1: 500, 2: 429 if refusal.code in (2003, 2013) else 500, 3: 400, 9: 500}
        expected = kinds[refusal.code // 1000] if refusal.code >= 1000 else refusal.code
        assert refusal.status == (500 if refusal.code in (3010, 3011, 3012, 3013) else expected)
