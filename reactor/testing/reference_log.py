"""The vendor's two log tables, as the reference model writes them."""

from __future__ import annotations

import json

from reactor.spec.model import Config
from reactor.testing.reference_events import Event, Failure, Identifier
from reactor.testing.reference_identity import Change

TRACKING = "td_rt_tracking_id"


def id_changes(config: Config, change: Change, event: Event, time_ms: int) -> list[dict[str, object]]:
    """Return the rows about what an event did to identity: deleted, added or updated, evicted."""
    if not (change.brought or change.joined or change.absorbed or change.evicted):
        return []
    profile = change.profile
    common = {"time": time_ms // 1000, "event_type": "id", "reactor_instance_id": config.name}
    tail = {TRACKING: event.raw.get(TRACKING)}
    nothing = dict.fromkeys(("current_id_attributes", "key_values", "merged_rids", "evicted_ids"))

    def row(kind: str, rid: str, **filled: object) -> dict[str, object]:
        return {**common, "profile_change_type": kind, "current_rid": rid, **nothing, **filled, **tail}

    names = [key.name for key in config.keys]
    held = sorted(profile.keys, key=lambda identifier: (names.index(identifier[0]), identifier[1]))
    rows = [row("profile_deleted_by_stitching", rid) for rid in change.absorbed]
    rows.append(
        row(
            "profile_added" if change.founded else "profile_updated_by_stitching",
            profile.rid,
            current_id_attributes=_texts(change.brought),
            key_values=",".join(_texts(held)),
            merged_rids=change.absorbed,
        )
    )
    if change.evicted:
        evicted = _json(_texts(change.evicted))
        brought = _texts(change.brought)
        rows.append(
            row("profile_ids_evicted", profile.rid, current_id_attributes=brought, evicted_ids=evicted)
        )
    return rows


def validation_failures(
    config: Config, failures: list[Failure], event: Event, time_ms: int
) -> list[dict[str, object]]:
    """Return the one row about an event's values that can't be identifiers; none if all can."""
    if not failures:
        return []
    return [
        {
            "time": time_ms // 1000,
            "event_type": "validation",
            "reactor_instance_id": config.name,
            "invalid_keys": [_json(failure._asdict()) for failure in failures],
            TRACKING: event.raw.get(TRACKING),
        }
    ]


def _texts(identifiers: list[Identifier]) -> list[str]:
    return [f"{key}:{value}" for key, value in identifiers]


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
