"""The vendor's own SDK in a browser, over TLS, unchanged: what a page gets, and what it is kept from.

Needs chromium and npm (`apt-get install chromium npm`) and a registry that npm can reach; without them
the test is skipped, and says what is missing. The SDK is installed to a temporary folder.
"""

from __future__ import annotations

import http.server
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from running import KEY, PRIVATE, PUBLIC, running, wait

SDK = "td-js-sdk@4.4.3"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

PAGE = """<!doctype html><meta charset="utf-8"><script src="/td.js"></script><script>
const asked = %s;
const results = {};
const td = new Treasure({host: asked.host, pathname: "/records/", writeKey: asked.key, database: "web_db",
                         startInSignedMode: true});
function personalize(name, token, event) {
  return new Promise((done) => td.fetchPersonalization(
    {endpoint: asked.host, database: "web_db", table: "pageviews", token},
    event, (body) => done(results[name] = {body}), (error) => done(results[name] = {error: String(error)})));
}
function store(name, call) {
  return new Promise((done) => call(
    (body) => done(results[name] = {body}), (error) => done(results[name] = {error: String(error)})));
}
(async () => {
  await personalize("offers", asked.public, {td_client_id: "browser"});
  await personalize("redacted", asked.public, {td_client_id: "browser", customer_id: "500"});
  await personalize("empty", asked.public, null);
  await personalize("wrong", "12345/3/unknown", {td_client_id: "browser"});
  await personalize("private", asked.private, {td_client_id: "browser"});
  await store("addRecord", (good, bad) => td.addRecord("pageviews", {td_client_id: "record"}, good, bad));
  await store("trackEvent", (good, bad) => td.trackEvent("pageviews", {shown: 1}, good, bad));
  await fetch("/results", {method: "POST", body: JSON.stringify(results)});
})();
</script>"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the SDK's built file, as it comes from npm."""
    if shutil.which("npm") is None:
        pytest.skip("THE BROWSER TEST DID NOT RUN: npm is not installed")
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), SDK]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("THE BROWSER TEST DID NOT RUN: npm does not answer")
    built = folder / "node_modules" / "td-js-sdk" / "dist" / "td.js"
    if done.returncode or not built.exists():
        pytest.skip(f"THE BROWSER TEST DID NOT RUN: npm can't install {SDK}")
    return built.read_bytes()


@pytest.fixture(scope="module")
def browser() -> str:
    """Give the command of a browser."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("THE BROWSER TEST DID NOT RUN: none of " + ", ".join(BROWSERS) + " is installed")
    return found


def test_the_sdk_in_a_browser(sdk: bytes, browser: str, tmp_path: Path) -> None:
    """Offers arrive, a redacted one as `{}`; whoever should not get an answer gets none he can read."""
    certificate = trustme.CA().issue_cert("localhost", "127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)
    with site(chain, key, sdk) as (allowed, results), site(chain, key, sdk) as (elsewhere, refused):
        origin = f"https://localhost:{allowed}"
        services: list[dict[str, Any]] = [
            {"name": "w", "public": True, "origins": [origin], "tokens": [token("t", PUBLIC)]},
            {"name": "s", "tokens": [token("t", PRIVATE)]},
        ]
        tls = {"certificate": str(chain), "key": str(key)}
        with running(services=services, tls=tls) as server:
            engine = server.gateway.engine
            assert engine is not None
            engine.import_batch([{"customer_id": "500", "tier": "gold"}])
            asked = {"host": f"127.0.0.1:{server.port}", "key": KEY.partition(" ")[2]}
            asked |= {"public": PUBLIC, "private": PRIVATE}
            got = visit(browser, f"{origin}/", tmp_path / "one", results, asked)
            assert {"offers": {"Hello": {"attributes": {"visits": 1}, "batch_segments": None}}} == got[
                "offers"
            ]["body"]
            assert got["redacted"]["body"]["offers"]["Loyal"] == {}
            assert list(got["empty"]["body"]["offers"]) == ["Hello"]
            # The browser keeps the answers from the page: they have no CORS headers.
            assert {"error": "TypeError: Failed to fetch"} == got["wrong"] == got["private"]
            for name in ("addRecord", "trackEvent"):
                assert list(got[name]["body"]) == ["receipts"]
            assert engine.profile({"td_client_id": "record"}) is not None
            # Three answered, one recorded, one tracked under a client id of the SDK's own.
            assert engine.stats()["events"]["web_db.pageviews"] == 5
            got = visit(browser, f"https://localhost:{elsewhere}/", tmp_path / "two", refused, asked)
            assert {name: {"error": "TypeError: Failed to fetch"} for name in got} == got


def token(name: str, whole: str) -> dict[str, str]:
    """Return a token's entry in a gateway file."""
    return {"name": name, "value": whole.rpartition("/")[2]}


def visit(
    browser: str, url: str, folder: Path, results: dict[str, Any], asked: dict[str, str]
) -> dict[str, Any]:
    """Open a page in a new browser, and return what its script reports."""
    results["asked"] = asked
    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--ignore-certificate-errors", f"--user-data-dir={folder}", url,
    ]  # fmt: skip
    running_browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(lambda: "got" in results, 90)
    finally:
        running_browser.terminate()
        running_browser.wait(20)
    got = results["got"]
    assert isinstance(got, dict)
    return got


@contextmanager
def site(chain: Path, key: Path, sdk: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Serve the page over TLS; what its script reports appears in the results under `got`."""
    results: dict[str, Any] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = (PAGE % json.dumps(results.get("asked", {}))).encode()
            content, kind = (sdk, "text/javascript") if self.path == "/td.js" else (page, "text/html")
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            results["got"] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], results
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
