"""What the inspector's page shows: an answer, the profile behind it, and why each section matched or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from reactor.gateway.bodies import event_in
from reactor.gateway.service import Gateway
from reactor.payload import Audience, Outcome

_decode = msgspec.json.Decoder().decode


def choices(gateway: Gateway) -> dict[str, Any]:
    """Return what the page's lists offer."""
    config = gateway.settings.config
    return {
        "name": config.name,
        "tables": list(config.tables),
        "keys": [key.name for key in config.keys if not key.internal],
        "sections": [
            {"name": section.name, "personalization": section.personalization, "sensitive": section.sensitive}
            for section in config.sections
        ],
    }


async def sent_event(gateway: Gateway, table: str, body: bytes, audience: str) -> dict[str, Any]:
    """Take an event in as the API does; return the answer, the profile it touched, and why."""
    engine = gateway.engine
    assert engine is not None
    who = cast(Audience, audience)
    most = gateway.settings.config.limits.event_bytes
    # Explained before it changes anything: these are the conditions it then meets.
    why = explanation(gateway, table, event_in(body, most), who)
    _, future = gateway.submit(table, body, event_in(body, most), who)
    outcome = await future
    assert isinstance(outcome, Outcome)
    profile = None if outcome.rid is None else engine.profile(rid=outcome.rid, now=outcome.now)
    return {
        "response": _decode(outcome.json()),
        "rid": outcome.rid,
        "profile": None if profile is None else _shown(profile),
        "id_changes": recent_changes(gateway),
        "validation_failures": outcome.validation_failures,
        "explanation": why,
    }


def preview(gateway: Gateway, table: str, event: dict[str, Any], audience: str) -> dict[str, Any]:
    """Return what an event would be answered, and why; nothing changes. Raises EventError."""
    engine = gateway.engine
    assert engine is not None
    who = cast(Audience, audience)
    now = gateway.clock.now()
    outcome = engine.evaluate(event, table, audience=who, now=now)
    profile = None if outcome.rid is None else engine.profile(rid=outcome.rid, now=now)
    return {
        "response": _decode(outcome.json()),
        "rid": outcome.rid,
        "profile": None if profile is None else _shown(profile),
        "id_changes": recent_changes(gateway),
        "explanation": explanation(gateway, table, event, who),
    }


def look_up(gateway: Gateway, keys: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what is known of a profile, or None. Raises EventError for a key the config has not."""
    assert gateway.engine is not None
    profile = gateway.engine.profile(keys, now=gateway.clock.now())
    return None if profile is None else _shown(profile)


def explanation(gateway: Gateway, table: str, event: dict[str, Any], audience: Audience) -> Any:
    """Return why each section would or would not match, as plain values."""
    assert gateway.engine is not None
    explained = gateway.engine.explain(event, table, audience=audience, now=gateway.clock.now())
    return _decode(explained.json())


def recent_changes(gateway: Gateway) -> list[dict[str, Any]]:
    """Return the rows about identity of the last events, the newest first."""
    rows: list[dict[str, Any]] = []
    for notes in reversed(gateway.notes):
        rows += notes.id_changes()
    return rows[:50]


def _shown(profile: Any) -> dict[str, Any]:
    return {
        "rid": profile.rid,
        "created": profile.created.isoformat(),
        "last_seen": profile.last_seen.isoformat(),
        "keys": profile.keys,
        "attributes": profile.attributes,
    }
