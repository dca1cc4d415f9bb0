"""Health, metrics, the inspector, overload, the way down, and the files a gateway watches."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import CLOCK, GATEWAY, OFFER, Answer, Running, running, server_headers, wait

from reactor.cli import main
from reactor.gateway.journal import Journal
from reactor.gateway.logs import Log
from reactor.gateway.segment import Entry
from reactor.gateway.service import Gateway
from reactor.gateway.settings import load_settings

ASK = {"content-type": "application/json", "x-reactor-inspector": "1"}


def inspect(server: Running, body: Any, path: str = "event", **headers: str) -> Answer:
    """Ask the inspector something."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.ask("POST", f"/_inspector/api/{path}", {**ASK, **given}, body)


def test_health(server: Running) -> None:
    answer = server.ask("GET", "/healthz")
    assert (200, "ok") == (answer.status, answer.json["status"])


def test_metrics(server: Running) -> None:
    """Requests by code, latencies, events, drops, profiles, the journal's lag."""
    server.post({"td_client_id": "m"})
    server.post(b"?")
    text = server.ask("GET", "/metrics").body.decode()
    for line in (
        'reactor_requests_total{code="3004",door="server",status="400"}',
        'reactor_request_seconds_bucket{door="server",le="0.02"}',
        'reactor_events_total{table="web_db.pageviews"}',
        'reactor_drops_total{name="",reason="late"}',
        "reactor_profiles ",
        "reactor_journal_waiting 0.0",
        "reactor_journal_lag_seconds 0.0",
        "reactor_engine_seconds_sum",
    ):
        assert line in text, line


def test_the_inspectors_page(server: Running) -> None:
    """Served with a policy that lets nothing in from elsewhere; no script or style stands in the page."""
    page = server.ask("GET", "/_inspector")
    assert page.status == 200
    assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    assert b"<style" not in page.body
    assert page.body.count(b"<script") == page.body.count(b'<script src="/_inspector/')
    for word in (b'<html lang="en">', b"width=device-width", b"<label", b'role="status"', b"<h1>"):
        assert word in page.body
    for name in ("inspector.js", "inspector.css"):
        assert server.ask("GET", f"/_inspector/{name}").status == 200
    assert server.ask("GET", "/_inspector/../service.py").status == 404
    assert server.ask("GET", "/_inspector/service.py").status == 404


def test_the_inspector_previews_and_sends(server: Running) -> None:
    """A preview changes nothing; what is sent is answered as the API does, with profile and reasons."""
    asked = {"table": "web_db.pageviews", "event": '{"td_client_id": "seen", "customer_id": "500"}'}
    for _ in range(2):
        assert "Hello" in inspect(server, asked).json["response"]["offers"]
    assert server.gateway.engine is not None
    assert server.gateway.engine.profile({"td_client_id": "seen"}) is None
    sent = inspect(server, {**asked, "apply": True, "audience": "private"}).json
    assert sent["response"]["offers"]["Loyal"]["attributes"] == {"tier": "gold"}
    assert sent["profile"]["keys"]["td_client_id"] == ["seen"]
    assert {section["name"] for section in sent["explanation"]["sections"]} == {"Hello", "Loyal"}
    assert sent["id_changes"]
    assert inspect(server, asked).json["response"]["offers"]["Loyal"] == {}
    found = inspect(server, {"key": "td_client_id", "value": "seen"}, "profile").json
    assert found["profile"]["rid"] == sent["rid"]
    assert inspect(server, {"key": "td_client_id", "value": "nobody"}, "profile").json["profile"] is None
    choices = server.ask("GET", "/_inspector/api/choices").json
    assert choices["tables"] == ["web_db.orders", "web_db.pageviews"]


def test_what_the_inspector_refuses(server: Running) -> None:
    """Another site's page, a foreign name, a bad table, a bad event, a key the config has not."""
    asked = {"table": "web_db.pageviews", "event": "{}"}
    assert server.ask("POST", "/_inspector/api/event", {"content-type": "text/plain"}, asked).status == 400
    assert inspect(server, asked, sec_fetch_site="cross-site").status == 400
    assert inspect(server, asked, host="attacker.example").status == 404
    assert inspect(server, {**asked, "table": "x"}).status == 400
    assert inspect(server, {**asked, "event": "{"}).json == {"error": "3004: Invalid event object."}
    assert inspect(server, {**asked, "audience": "everyone"}).status == 400
    assert inspect(server, {"key": "phone", "value": "1"}, "profile").status == 400
    assert inspect(server, {"more": 1}).status == 400


def test_who_sees_the_inspector() -> None:
    """Private networks only; not whoever comes through a proxy that nobody declared; nobody, if so said."""
    for path in ("/_inspector", "/metrics"):
        with running() as server:
            assert server.ask("GET", path).status == 200
            assert server.ask("GET", path, {"x-forwarded-for": "10.0.0.1"}).status == 404
            assert server.ask("GET", path, {"forwarded": "for=10.0.0.1"}).status == 404
        with running(trusted_proxies=["127.0.0.1"]) as server:
            assert server.ask("GET", path, {"x-forwarded-for": "10.0.0.1"}).status == 200
            assert server.ask("GET", path, {"x-forwarded-for": "203.0.113.1"}).status == 404
        with running(inspector="none") as server:
            assert server.ask("GET", path).status == 404
            assert server.ask("GET", "/healthz").status == 200
        with running(inspector="open") as server:
            assert server.ask("GET", path, {"host": "inspector.example", "forwarded": "x"}).status == 200


class Stuck:
    """Holds the journal's writes until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = threading.Event()
        write = Journal._write

        def held(journal: Journal, entries: list[Entry]) -> str | None:
            self.gate.wait(20)
            return write(journal, entries)

        monkeypatch.setattr(Journal, "_write", held)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    """Give a disk that does not answer for now."""
    stuck = Stuck(monkeypatch)
    yield stuck
    stuck.gate.set()


def post_all(server: Running, count: int, answers: list[Answer]) -> list[threading.Thread]:
    """Post events at once, one a thread."""
    threads = [
        threading.Thread(target=lambda: answers.append(server.post({"td_client_id": "x"})))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads


def test_a_full_queue_is_429(tmp_path: Path, stuck: Stuck) -> None:
    """The events that wait are bounded; what is beyond is told at once to come again, and has no effect."""
    with running(journal={"path": str(tmp_path / "j")}, limits={"queue": 5}) as server:
        answers: list[Answer] = []
        threads = post_all(server, 5, answers)
        wait(lambda: server.gateway._pending == 5)
        begun = time.monotonic()
        full = server.post({"td_client_id": "x"})
        assert time.monotonic() - begun < 5
        assert (429, 2003, "1") == (full.status, full.json["code"], full.headers["retry-after"])
        assert server.browse({}).headers["access-control-allow-origin"]
        assert server.post([{}, {}], "/records/web_db/pageviews").status == 429
        stuck.gate.set()
        for thread in threads:
            thread.join()
        assert [200] * 5 == [answer.status for answer in answers]
        assert server.post({"td_client_id": "x"}).json["offers"]["Hello"]["attributes"]["visits"] == 6


def test_too_many_requests_are_429(tmp_path: Path, stuck: Stuck) -> None:
    with running(journal={"path": str(tmp_path / "j")}, limits={"requests": 2}) as server:
        answers: list[Answer] = []
        threads = post_all(server, 2, answers)
        wait(lambda: server.gateway._pending == 2)
        answer = server.post({})
        assert (429, 2013) == (answer.status, answer.json["code"])
        stuck.gate.set()
        for thread in threads:
            thread.join()


def test_while_it_starts_and_drains(tmp_path: Path) -> None:
    """Until the state is restored the answer is 2015, and when it goes down 1005; health says which."""
    import asyncio

    from reactor.gateway.app import App

    gateway = Gateway(load_settings(GATEWAY, environ={}), CLOCK, Log(None, CLOCK.now))
    app = App(gateway)
    headers = [(name.lower().encode(), value.encode()) for name, value in server_headers().items()]

    async def ask(method: str = "POST", path: str = "/web_db/pageviews") -> tuple[int, dict[str, Any]]:
        got: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Any) -> None:
            got.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": headers,
            "client": ("127.0.0.1", 1),
        }
        await app(scope | {"query_string": b"", "server": ("x", 1), "scheme": "http"}, receive, send)
        return got[0]["status"], json.loads(b"".join(message.get("body", b"") for message in got[1:]))

    async def live() -> None:
        assert (500, 2015) == ((await ask())[0], (await ask())[1]["code"])
        assert (503, "starting") == (
            (await ask("GET", "/healthz"))[0],
            (await ask("GET", "/healthz"))[1]["status"],
        )
        assert (await ask(""))[1] == {"code": 3008, "message": "Request method is required."}
        gateway.open()
        gateway.start()
        assert await ask() == (200, {"offers": OFFER})
        await gateway.close()
        assert (500, 1005) == ((await ask())[0], (await ask())[1]["code"])
        assert (await ask("GET", "/healthz"))[1]["status"] == "draining"

    asyncio.run(live())


def test_no_client_address() -> None:
    """Without a peer's address a whitelist can't be looked at: 3013."""
    from reactor.gateway.checks import Checks, Refused, sent

    settings = load_settings({**GATEWAY, "allowed_ips": ["10.0.0.1"]}, environ={})
    headers = sent([(name.lower().encode(), value.encode()) for name, value in server_headers().items()])
    with pytest.raises(Refused) as refused:
        Checks(settings, b"salt").caller("server", headers, None)
    assert refused.value.refusal.code == 3013


def test_sigterm_drains(tmp_path: Path) -> None:
    """What was accepted is answered, a snapshot is written, the exit code is 0."""
    file = tmp_path / "gateway.json"
    file.write_text(
        json.dumps({**GATEWAY, "config": "reactor.json", "journal": {}, "listen": f"127.0.0.1:{free()}"})
    )
    (tmp_path / "reactor.json").write_text(json.dumps(GATEWAY["config"]))
    command = [sys.executable, "-m", "reactor.cli", "serve", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    port = json.loads(file.read_text())["listen"].rpartition(":")[2]
    server = Running(None, int(port), None)  # type: ignore[arg-type]
    wait(lambda: answers(server), 60)
    assert server.post({"td_client_id": "x"}).json == {"offers": OFFER}
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out.startswith(f"Serving the Personalization API at http://127.0.0.1:{port}\n")
    assert [line["event"] for line in map(json.loads, err.splitlines())] == ["ready", "stopped"]
    assert [path.name for path in (tmp_path / "gateway.journal").glob("*.state")] == [
        "snapshot-0000000000000001.state"
    ]


def free() -> int:
    """Return a port that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(server: Running) -> bool:
    """Tell whether a server is ready."""
    try:
        return server.ask("GET", "/healthz").status == 200
    except OSError:
        return False


def test_a_watched_file(tmp_path: Path) -> None:
    """Batch rows are loaded from a file at the start, and when it changes; a bad file changes nothing."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"customer_id": "9", "tier": "gold"}\n')
    with running(batch_file=str(rows), journal={"path": str(tmp_path / "j")}) as server:
        wait(lambda: "Loyal" in server.post({"customer_id": "9"}).json["offers"])
        rows.write_text('{"customer_id": "9", "tier": "tin"}\n')
        os.utime(rows, (1, 1))
        wait(lambda: "Loyal" not in server.post({"customer_id": "9"}).json["offers"])
        assert '"event":"batch rows","file":"rows.jsonl","rows":1' in server.log.getvalue()


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A library that is missing is named with the command that installs it."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "gateway.yaml"]) == 2
    assert capsys.readouterr().err == 'error: serve needs uvicorn: pip install "reactor-engine[gateway]"\n'


def test_what_keeps_it_from_starting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad file, a taken port, a bad certificate, a folder in use: exit 2 and what to look at."""
    (tmp_path / "reactor.json").write_text(json.dumps(GATEWAY["config"]))
    file = tmp_path / "gateway.json"

    def serve(**changes: Any) -> str:
        file.write_text(json.dumps({**GATEWAY, "config": "reactor.json", **changes}))
        assert main(["serve", str(file)]) == 2
        return capsys.readouterr().err

    assert "listen: expected an address and a port" in serve(listen="8080")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "can't listen at 127.0.0.1" in serve(listen=f"127.0.0.1:{taken.getsockname()[1]}")
    (tmp_path / "x.pem").write_text("no certificate")
    assert "tls: the certificate can't be used" in serve(tls={"certificate": "x.pem", "key": "x.pem"})
    with running(journal={"path": str(tmp_path / "j")}):
        assert "another gateway uses it" in serve(journal={"path": "j"}, listen=f"127.0.0.1:{free()}")
