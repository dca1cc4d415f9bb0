"""Services, their tokens and the API keys, checked by the vendor's rules and in its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from reactor.gateway import raw
from reactor.gateway.networks import Network, network_of
from reactor.spec.node import Path, quoted
from reactor.spec.report import Report

MOST_TOKENS_OF_SERVICE: Final = 50
MOST_TOKENS: Final = 200
MOST_NAME: Final = 100  # characters

TAKEN: Final = "Name has already been taken"
TOO_LONG: Final = f"Name is too long (maximum is {MOST_NAME} characters)"
BLANK: Final = "Name can't be blank"
IPS_ON_PUBLIC: Final = "Allowed ips must not be set when the parent service is public"

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,20}://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:\d{1,5})?", re.ASCII)
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_VISIBLE = re.compile(r"[!-~]+")


class ApiKey(msgspec.Struct, frozen=True):
    """An API key, and the account it belongs to."""

    value: bytes
    account: int

    def __repr__(self) -> str:
        return f"ApiKey(account={self.account})"


class Token(msgspec.Struct, frozen=True):
    """A token: its name, its secret, who may use it (None: the account's whitelist says)."""

    name: str
    value: bytes
    networks: tuple[Network, ...] | None

    def __repr__(self) -> str:
        return f"Token({self.name!r})"


class Service(msgspec.Struct, frozen=True):
    """A service. origins: what a browser's page may come from; `*` stands for any."""

    name: str
    is_public: bool
    origins: frozenset[str]
    tokens: tuple[Token, ...]


class Environment:
    """Looks `${NAME}` up in the environment."""

    def __init__(self, report: Report, environ: Mapping[str, str]) -> None:
        self._report = report
        self._environ = environ

    def resolve(self, path: Path, text: str) -> str:
        """Return the text with every `${NAME}` replaced; "" where the environment has none, reported."""
        missing = [name for name in _REFERENCE.findall(text) if name not in self._environ]
        for name in missing:
            self._report.error(path, f"the environment has no variable {quoted(name)}", f"set {name}")
        return "" if missing else _REFERENCE.sub(lambda match: self._environ[match[1]], text)


def resolve_api_keys(
    report: Report, environment: Environment, entries: list[str | raw.ApiKey] | UnsetType, account: int
) -> tuple[ApiKey, ...]:
    """Resolve the API keys; the number before a key's slash is its account where nothing else is said."""
    keys = []
    for at, entry in enumerate([] if entries is UNSET else entries):
        path: Path = ("api_keys", at) if isinstance(entry, str) else ("api_keys", at, "value")
        given = entry if isinstance(entry, str) else entry.value
        text = "" if given is UNSET else environment.resolve(path, given)
        if given is UNSET or report.says(path) or not _visible(report, path, text):
            continue
        first, slash, _ = text.partition("/")
        own = int(first) if slash and first.isascii() and first.isdecimal() and len(first) < 17 else account
        said = UNSET if isinstance(entry, str) else entry.account
        keys.append(ApiKey(text.encode(), own if said is UNSET else said))
    if entries is not UNSET and not entries:
        report.error(("api_keys",), "expected at least one API key")
    return tuple(keys)


def resolve_services(
    report: Report, environment: Environment, entries: list[raw.Service] | UnsetType
) -> tuple[Service, ...]:
    """Resolve the services by the vendor's rules: names, numbers, what a public one may have."""
    given = [] if entries is UNSET else entries
    names: set[str] = set()
    values: set[str] = set()
    services = []
    for at, entry in enumerate(given):
        path: Path = ("services", at)
        name = check_name(report, (*path, "name"), entry.name, names)
        is_public = entry.public is True
        tokens = _tokens(report, environment, path, entry, values)
        origins = _origins(report, path, entry)
        services.append(Service(name, is_public, origins, tokens))
    total = sum(len(service.tokens) for service in services)
    if total > MOST_TOKENS:
        report.error(("services",), f"expected at most {MOST_TOKENS} tokens in all, got {total}")
    return tuple(services)


def check_name(report: Report, path: Path, name: str | UnsetType, names: set[str]) -> str:
    """Check the name of a service or a token; names differ by more than case."""
    if name is UNSET:
        return ""
    if not name.strip():
        report.error(path, BLANK)
    elif len(name) > MOST_NAME:
        report.error(path, TOO_LONG)
    elif name.casefold() in names:
        report.error(path, TAKEN)
    names.add(name.casefold())
    return name


def _tokens(
    report: Report, environment: Environment, path: Path, service: raw.Service, values: set[str]
) -> tuple[Token, ...]:
    entries = [] if service.tokens is UNSET else service.tokens
    if len(entries) > MOST_TOKENS_OF_SERVICE:
        most = f"expected at most {MOST_TOKENS_OF_SERVICE} tokens in a service, got {len(entries)}"
        report.error((*path, "tokens"), most)
    names: set[str] = set()
    tokens = []
    for at, entry in enumerate(entries):
        below: Path = (*path, "tokens", at)
        name = check_name(report, (*below, "name"), entry.name, names)
        networks = None
        if entry.allowed_ips is not UNSET:
            if service.public is True and entry.allowed_ips:
                report.error((*below, "allowed_ips"), IPS_ON_PUBLIC)
            networks = resolve_networks(report, (*below, "allowed_ips"), entry.allowed_ips) or None
        value = "" if entry.value is UNSET else environment.resolve((*below, "value"), entry.value)
        if entry.value is not UNSET and _is_token(report, (*below, "value"), value, values):
            tokens.append(Token(name, value.encode(), networks))
    return tuple(tokens)


def _is_token(report: Report, path: Path, value: str, values: set[str]) -> bool:
    if report.says(path) or not _visible(report, path, value):
        return False
    if "/" in value:
        report.error(
            path, "expected the token alone, got text with a slash", "leave out account and instance"
        )
        return False
    if value in values:
        report.error(path, "expected a value of its own, got that of another token")
        return False
    values.add(value)
    return True


def _visible(report: Report, path: Path, value: str) -> bool:
    if 0 < len(value) <= 512 and _VISIBLE.fullmatch(value):
        return True
    report.error(path, "expected 1 to 512 visible ASCII characters without a space, got other text")
    return False


def _origins(report: Report, path: Path, service: raw.Service) -> frozenset[str]:
    entries = [] if service.origins is UNSET else service.origins
    if entries and service.public is not True:
        report.error(
            (*path, "origins"), "expected none: browsers use public services only", "set public: true"
        )
    for at, text in enumerate(entries):
        if text != "*" and not is_origin(text):
            got = f'expected an origin such as "https://shop.example", got {quoted(text)}'
            report.error((*path, "origins", at), got, "scheme, host and port, in lower case, without a path")
    return frozenset(entries)


def is_origin(text: str) -> bool:
    """Tell whether text is an origin as a browser writes it.

    >>> is_origin("https://shop.example:8443"), is_origin("https://shop.example/"), is_origin("null")
    (True, False, False)
    """
    return len(text) <= 255 and _ORIGIN.fullmatch(text) is not None


def resolve_networks(report: Report, path: Path, entries: list[str] | UnsetType) -> tuple[Network, ...]:
    """Resolve a list of addresses and ranges."""
    networks = []
    for at, text in enumerate([] if entries is UNSET else entries):
        try:
            networks.append(network_of(text))
            continue
        except ValueError as error:
            hint = "the range has bits behind its length" if "host bits" in str(error) else ""
        report.error(
            (*path, at), f"expected an address or a range such as 10.0.0.0/8, got {quoted(text)}", hint
        )
    return tuple(networks)
