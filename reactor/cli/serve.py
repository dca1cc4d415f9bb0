"""`reactor serve`: the Personalization API over HTTP."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from reactor.cli.console import DONE, CommandError, aligned, count_of, say
from reactor.frames import need

if TYPE_CHECKING:
    from reactor.gateway.service import Clock
    from reactor.gateway.settings import Settings

SUMMARY = "serve the Personalization API over HTTP"
EXAMPLE = "reactor serve --demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "gateway", metavar="GATEWAY", nargs="?", help="the gateway file: .yaml, .toml or .json"
    )
    which.add_argument(
        "--demo", action="store_true", help="a small shop with tokens, a certificate and a page, kept nowhere"
    )
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="where to listen, in place of the file's `listen`"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted or told to stop."""
    for library in ("starlette", "uvicorn", "httptools", "uvloop", "prometheus_client", "trustme"):
        need(library, "serve", '"reactor-engine[gateway]"')
    if arguments.demo:
        with tempfile.TemporaryDirectory(prefix="reactor-demo-") as folder:
            return _serve_demo(Path(folder), arguments.listen)
    return _serve_file(arguments.gateway, arguments.listen)


def _serve_file(file: str, listen: str | None) -> int:
    from reactor.gateway.logs import Log
    from reactor.gateway.server import bind, serve
    from reactor.gateway.service import Gateway
    from reactor.gateway.settings import load_settings

    settings = _listening(load_settings(file), listen)
    clock = machine_clock()
    gateway = Gateway(settings, clock, Log(sys.stderr, clock.now, settings.logs))
    with bind(settings) as listening:
        say(*describe(settings))
        sys.stdout.flush()
        serve(gateway, [listening])
    return DONE


def _serve_demo(folder: Path, listen: str | None) -> int:
    from reactor.gateway.demo import DemoApp, make_demo
    from reactor.gateway.logs import Log
    from reactor.gateway.server import bind, serve
    from reactor.gateway.service import Gateway

    clock = machine_clock()
    demo = make_demo(folder, clock, listen)
    gateway = Gateway(demo.settings, clock, Log(sys.stderr, clock.now, demo.settings.logs))
    with bind(demo.settings) as listening:
        say(*describe(demo.settings), "")
        say(
            "Open this page (the certificate is its own, so the browser asks once):",
            f"  {demo.settings.url}/_demo",
        )
        say("Or run:", f"  {demo.curl()}")
        say("Nothing is kept: ctrl-c ends it.")
        sys.stdout.flush()
        serve(gateway, [listening], DemoApp(gateway, demo))
    return DONE


def machine_clock() -> Clock:
    """Return the machine's clock and randomness, which the gateway asks for nowhere else."""
    from reactor.gateway.service import Clock

    return Clock(time.time, time.perf_counter, new_uuid, os.urandom)


def new_uuid() -> str:
    """Return a random UUID, version 4. Cost: 1 us, a third of what the library's class takes.

    >>> import uuid
    >>> uuid.UUID(new_uuid()).version
    4
    """
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def describe(settings: Settings) -> list[str]:
    """Say where a gateway listens and what it serves; no secret is in it."""
    config = settings.config
    rows = [
        (
            "config",
            f"{config.name}: {count_of(len(config.sections), 'section')}, tables {', '.join(config.tables)}",
        ),
        ("tokens", f"{settings.account}/{settings.instance}/…"),
    ]
    for service in settings.services:
        kind = "public" if service.is_public else "private"
        names = ", ".join(token.name for token in service.tokens) or "no tokens"
        origins = f", from {', '.join(sorted(service.origins))}" if service.origins else ""
        rows.append(("", f"{service.name}, {kind}: {names}{origins}"))
    rows.append(
        ("journal", "none: nothing is kept" if settings.journal is None else str(settings.journal.path))
    )
    if settings.inspector != "none":
        seen = "private networks" if settings.inspector == "private" else "anyone"
        rows.append(("inspector", f"{settings.url}/_inspector, for {seen}"))
    return [f"Serving the Personalization API at {settings.url}", *aligned(rows)]


def _listening(settings: Settings, listen: str | None) -> Settings:
    import msgspec

    from reactor.gateway.settings import parse_listen

    if listen is None:
        return settings
    place = parse_listen(listen)
    if place is None:
        raise CommandError(
            f'--listen: expected an address and a port such as "127.0.0.1:8080", got "{listen}"'
        )
    return msgspec.structs.replace(settings, host=place[0], port=place[1])
