"""A gateway file, checked: everything the gateway needs to know, or all that is wrong with the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from reactor.errors import ConfigError
from reactor.gateway import raw
from reactor.gateway.networks import Network
from reactor.gateway.services import (
    ApiKey,
    Environment,
    Service,
    resolve_api_keys,
    resolve_networks,
    resolve_services,
)
from reactor.spec import Config, load_config, read
from reactor.spec.convert import convert
from reactor.spec.node import Path, Reading, quoted
from reactor.spec.report import Report
from reactor.units import parse_duration, parse_size

Visible: TypeAlias = Literal["private", "open", "none"]
Logs: TypeAlias = Literal["requests", "errors", "none"]

LISTEN: Final = "127.0.0.1:8080"


class Journal(msgspec.Struct, frozen=True):
    """Where accepted events are kept, and how long; see `raw.Journal`."""

    path: FilePath
    dedupe_ms: int = 15 * 60_000
    snapshot_ms: int = 10 * 60_000
    snapshot_events: int = 100_000
    keep: bool = False


class Limits(msgspec.Struct, frozen=True):
    """Ceilings of the gateway, in counts, bytes and seconds; see `raw.Limits`."""

    queue: int = 512
    requests: int = 1024
    connections: int = 4096
    ingest_bytes: int = 5_000_000
    ingest_events: int = 500
    batch_bytes: int = 64_000_000
    header_bytes: int = 32_000
    patience_s: float = 10
    drain_s: float = 10


class Settings(msgspec.Struct, frozen=True):
    """A gateway file, resolved.

    networks: the account's whitelist; empty: anyone. trusted: whose `X-Forwarded-For` is believed.
    journal: None: events are kept nowhere. tls: paths of certificate and key.
    """

    config: Config
    account: int
    instance: int
    api_keys: tuple[ApiKey, ...]
    services: tuple[Service, ...]
    host: str
    port: int
    tls: tuple[FilePath, FilePath] | None = None
    networks: tuple[Network, ...] = ()
    trusted: tuple[Network, ...] = ()
    journal: Journal | None = None
    dedupe_ms: int = 15 * 60_000
    limits: Limits = Limits()
    inspector: Visible = "private"
    logs: Logs = "errors"
    batch_file: FilePath | None = None

    def __repr__(self) -> str:
        return f"Settings({self.account}/{self.instance}, {len(self.services)} services)"

    @property
    def url(self) -> str:
        """Where it listens, as a browser writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def load_settings(
    source: str | os.PathLike[str] | Mapping[str, object], *, environ: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings of a gateway file, or of a mapping of plain values.

    environ: where `${NAME}` is looked up; the process's environment if None. Paths in a file are
        relative to it, those in a mapping to the current folder.
    Raises ConfigError with every problem of the file; then those of the reactor config it names.

    >>> settings = load_settings({
    ...     "version": 1, "config": {"version": 1, "name": "shop"}, "account": 12345, "instance": 3,
    ...     "api_keys": ["12345/k"], "services": [{"name": "web", "tokens": [{"name": "a", "value": "t"}]}],
    ...     "journal": "none",
    ... })
    >>> settings, settings.url
    (Settings(12345/3, 1 services), 'http://127.0.0.1:8080')
    """
    known = os.environ if environ is None else environ
    if isinstance(source, Mapping):
        # From Python the config may stand in its place.
        config = source.get("config")
        given = {**source, "config": "-"} if isinstance(config, Mapping | Config) else source
        return _resolve(given, None, known, config if isinstance(config, Mapping | Config) else None)
    return _resolve(source, FilePath(source), known, None)


def _resolve(
    source: str | os.PathLike[str] | Mapping[str, object],
    file: FilePath | None,
    environ: Mapping[str, str],
    config: Config | Mapping[str, object] | None,
) -> Settings:
    reading = Reading(None if file is None else os.fspath(file))
    root = read(source, reading)
    report = Report(root, reading)
    entries = convert(root, raw.Gateway, report)
    if entries is None:
        raise ConfigError(report.problems)
    folder = FilePath() if file is None else file.parent
    environment = Environment(report, environ)
    account = 0 if entries.account is UNSET else entries.account
    api_keys = resolve_api_keys(report, environment, entries.api_keys, account)
    services = resolve_services(report, environment, entries.services)
    host, port = _listen(report, entries.listen)
    journal = _journal(report, entries.journal, folder, "gateway" if file is None else file.stem)
    dedupe_ms = 15 * 60_000 if journal is None else journal.dedupe_ms
    networks = resolve_networks(report, ("allowed_ips",), entries.allowed_ips)
    trusted = resolve_networks(report, ("trusted_proxies",), entries.trusted_proxies)
    limits = _limits(report, entries.limits)
    report.raise_problems()
    assert entries.config is not UNSET
    assert entries.instance is not UNSET
    loaded = (
        config
        if isinstance(config, Config)
        else load_config(config or folder / entries.config, environ=environ)
    )
    return Settings(
        config=loaded,
        account=account,
        instance=entries.instance,
        api_keys=api_keys,
        services=services,
        host=host,
        port=port,
        tls=_tls(entries.tls, folder),
        networks=networks,
        trusted=trusted,
        journal=journal,
        dedupe_ms=dedupe_ms,
        limits=limits,
        inspector="private" if entries.inspector is UNSET else entries.inspector,
        logs="errors" if entries.logs is UNSET else entries.logs,
        batch_file=None if entries.batch_file is UNSET else folder / entries.batch_file,
    )


def parse_listen(text: str) -> tuple[str, int] | None:
    """Return host and port of `HOST:PORT`, or None if it is none; IPv6 stands in brackets.

    >>> parse_listen("[::1]:8443"), parse_listen("0.0.0.0:80"), parse_listen("8080")
    (('::1', 8443), ('0.0.0.0', 80), None)
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port[:6]) > 65535:
        return None
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], int(port)
    return None if ":" in host else (host, int(port))


def _listen(report: Report, text: str | UnsetType) -> tuple[str, int]:
    given = LISTEN if text is UNSET else text
    place = parse_listen(given)
    if place is None:
        hint = f'write "127.0.0.1:{given}"' if given.isdecimal() else ""
        report.error(
            ("listen",), f'expected an address and a port such as "127.0.0.1:8080", got {quoted(given)}', hint
        )
    return place or ("127.0.0.1", 0)


def _journal(
    report: Report, entry: str | raw.Journal | UnsetType, folder: FilePath, stem: str
) -> Journal | None:
    if isinstance(entry, str):
        return None
    given = raw.Journal() if entry is UNSET else entry
    path = folder / (f"{stem}.journal" if given.path is UNSET else given.path)
    defaults = Journal(path)
    return Journal(
        path,
        _duration(report, ("journal", "dedupe"), given.dedupe, defaults.dedupe_ms),
        _duration(report, ("journal", "snapshot_every"), given.snapshot_every, defaults.snapshot_ms),
        defaults.snapshot_events if given.snapshot_events is UNSET else given.snapshot_events,
        given.keep is True,
    )


def _limits(report: Report, entry: raw.Limits | UnsetType) -> Limits:
    given = raw.Limits() if entry is UNSET else entry
    defaults = Limits()

    def seconds(name: str, text: str | UnsetType, default: float) -> float:
        return _duration(report, ("limits", name), text, int(default * 1000)) / 1000

    return Limits(
        queue=defaults.queue if given.queue is UNSET else given.queue,
        requests=defaults.requests if given.requests is UNSET else given.requests,
        connections=defaults.connections if given.connections is UNSET else given.connections,
        ingest_bytes=_size(report, "ingest", given.ingest, defaults.ingest_bytes),
        ingest_events=defaults.ingest_events if given.ingest_events is UNSET else given.ingest_events,
        batch_bytes=_size(report, "batch", given.batch, defaults.batch_bytes),
        header_bytes=_size(report, "header", given.header, defaults.header_bytes),
        patience_s=seconds("patience", given.patience, defaults.patience_s),
        drain_s=seconds("drain", given.drain, defaults.drain_s),
    )


def _duration(report: Report, path: Path, text: str | UnsetType, default_ms: int) -> int:
    if text is UNSET:
        return default_ms
    try:
        return parse_duration(text)
    except ValueError as error:
        reason = str(error)
    report.error(path, f"{reason}, got {quoted(text)}")
    return default_ms


def _size(report: Report, name: str, text: str | UnsetType, default: int) -> int:
    if text is UNSET:
        return default
    try:
        return parse_size(text)
    except ValueError as error:
        reason = str(error)
    report.error(("limits", name), f"{reason}, got {quoted(text)}")
    return default


def _tls(entry: raw.Tls | UnsetType, folder: FilePath) -> tuple[FilePath, FilePath] | None:
    if entry is UNSET:
        return None
    assert entry.certificate is not UNSET
    assert entry.key is not UNSET
    return folder / entry.certificate, folder / entry.key
