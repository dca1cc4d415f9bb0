"""A gateway to try: a small shop, a public and a private token, a certificate of its own, a page."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

import trustme

from reactor.gateway.app import App, Scope, Send
from reactor.gateway.bodies import Receive
from reactor.gateway.checks import MEDIA_TYPE
from reactor.gateway.service import Clock, Gateway
from reactor.gateway.settings import Settings, load_settings

ACCOUNT: Final = 12345
INSTANCE: Final = 3
LISTEN: Final = "127.0.0.1:8443"
ROWS: Final = b'{"customer_id": "500", "tier": "gold", "segments": ["1001"]}\n'

_FILES: Final = {
    b"/_demo": ("page.html", b"text/html; charset=utf-8"),
    b"/_demo/page.css": ("page.css", b"text/css; charset=utf-8"),
    b"/_demo/page.js": ("page.js", b"text/javascript; charset=utf-8"),
}
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'"
)


class Demo(NamedTuple):
    """The demo's settings and secrets."""

    settings: Settings
    api_key: str
    public_token: str
    private_token: str

    def __repr__(self) -> str:
        return "Demo()"

    def curl(self) -> str:
        """Return a command line that gets an offer."""
        return (
            f"curl --insecure {self.settings.url}/web/pageviews"
            f" -H 'Content-Type: {MEDIA_TYPE.decode()}'"
            f" -H 'Authorization: TD1 {self.api_key}'"
            f" -H 'WP13n-Token: {self.private_token}'"
            """ -d '{"td_client_id": "c-1", "td_path": "/retail"}'"""
        )


def make_demo(folder: Path, clock: Clock, listen: str | None = None) -> Demo:
    """Make a demo: its certificate and config are written to a folder."""
    certificate = trustme.CA().issue_cert("localhost", "127.0.0.1", "::1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for at, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(folder / "certificate.pem", append=at > 0)
    (folder / "reactor.yaml").write_bytes(shipped("reactor.yaml"))
    (folder / "loyalty.jsonl").write_bytes(ROWS)
    api_key, public, private = (clock.random(16).hex() for _ in range(3))
    place = listen or LISTEN
    port = place.rpartition(":")[2]
    settings = load_settings(
        {
            "version": 1,
            "config": str(folder / "reactor.yaml"),
            "account": ACCOUNT,
            "instance": INSTANCE,
            "listen": place,
            "tls": {"certificate": str(folder / "certificate.pem"), "key": str(folder / "key.pem")},
            "api_keys": [f"{ACCOUNT}/{api_key}"],
            "services": [
                {
                    "name": "browser",
                    "public": True,
                    "origins": [f"https://127.0.0.1:{port}", f"https://localhost:{port}"],
                    "tokens": [{"name": "page", "value": public}],
                },
                {"name": "server", "tokens": [{"name": "shop", "value": private}]},
            ],
            "journal": "none",
            "batch_file": str(folder / "loyalty.jsonl"),
        },
        environ={},
    )
    prefix = f"{ACCOUNT}/{INSTANCE}"
    return Demo(settings, f"{ACCOUNT}/{api_key}", f"{prefix}/{public}", f"{prefix}/{private}")


class DemoApp(App):
    """The application, with the demo's page at `/_demo`."""

    def __init__(self, gateway: Gateway, demo: Demo) -> None:
        super().__init__(gateway)
        self._demo = demo

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the page's files; everything else is the gateway's."""
        found = self._content(scope["path"].encode()) if scope["type"] == "http" else None
        if found is None or scope["method"] != "GET":
            await super().__call__(scope, receive, send)
            return
        content, kind = found
        headers = [
            (b"content-type", kind),
            (b"content-security-policy", _POLICY),
            (b"cache-control", b"no-store"),
        ]
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _content(self, path: bytes) -> tuple[bytes, bytes] | None:
        if path == b"/_demo/settings.json":
            secrets = {"token": self._demo.public_token, "api_key": self._demo.api_key}
            return json.dumps(secrets).encode(), b"application/json"
        name, kind = _FILES.get(path, ("", b""))
        return (shipped(name), kind) if name else None


def shipped(name: str) -> bytes:
    """Return one of the demo's files, as the package has it."""
    return resources.files("reactor.gateway.demo").joinpath(name).read_bytes()
