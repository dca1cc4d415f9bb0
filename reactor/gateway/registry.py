"""What may not change between two starts: a service's type, and a token under its name.

The vendor's services keep the type they were made with, and tokens are made and deleted, never
edited. A gateway file can be edited, so the journal's folder remembers; secrets are kept as salted
hashes. What is no longer in the file is deleted, and its name is free at the start after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec

from reactor.errors import ConfigError, Problem
from reactor.gateway.services import Service, Token

_NAME = "services.json"


class _Known(msgspec.Struct):
    """A service as it was made: its type, and a digest by token."""

    public: bool
    tokens: dict[str, str]


class _Registry(msgspec.Struct):
    """All of them, and the salt of the digests."""

    salt: str
    services: dict[str, _Known]


def keep_registry(folder: Path, services: Sequence[Service], random: Callable[[int], bytes]) -> None:
    """Compare services with those of the last start, and remember them. Raises ConfigError."""
    path = folder / _NAME
    known = _read(path) or _Registry(random(16).hex(), {})
    problems = list(_problems(services, known))
    if problems:
        raise ConfigError(problems)
    fresh = {
        service.name: _Known(
            service.is_public, {token.name: _digest(known.salt, token) for token in service.tokens}
        )
        for service in services
    }
    content = msgspec.json.encode(_Registry(known.salt, fresh))
    partial = path.with_suffix(".json.tmp")
    partial.touch(mode=0o600)
    partial.write_bytes(content)
    partial.replace(path)


def _problems(services: Sequence[Service], known: _Registry) -> list[Problem]:
    problems = []
    for at, service in enumerate(services):
        before = known.services.get(service.name)
        if before is None:
            continue
        if before.public != service.is_public:
            kind = "public" if before.public else "private"
            message = f"expected the type this service was made with, {kind}: it can't be changed"
            hint = "delete the service, start, and make it anew; or give it another name"
            problems.append(Problem(f"services[{at}].public", None, None, message, hint))
        for place, token in enumerate(service.tokens):
            if before.tokens.get(token.name, _digest(known.salt, token)) != _digest(known.salt, token):
                message = "expected the token as it was made: a token can be created and deleted, not edited"
                hint = "give the new one another name"
                problems.append(Problem(f"services[{at}].tokens[{place}]", None, None, message, hint))
    return problems


def _digest(salt: str, token: Token) -> str:
    networks = "" if token.networks is None else ",".join(map(str, token.networks))
    return blake2b(
        token.value + b"\0" + networks.encode(), key=bytes.fromhex(salt), digest_size=16
    ).hexdigest()


def _read(path: Path) -> _Registry | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Registry)
    except (OSError, msgspec.MsgspecError):
        return None
