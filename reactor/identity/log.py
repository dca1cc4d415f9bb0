"""The vendor's log rows about identity.

They hold identifiers: they are private data, for the embedder's own log. They are built only
when someone asks for them, from the little that stitching noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from reactor.identity.layout import RID, Identifier, Stitched, identifiers
from reactor.identity.rid import format_rid
from reactor.identity.validate import Failure

Row: TypeAlias = dict[str, object]


class Log:
    """Builds rows. names: of the keys, in config order; instance: the config's name."""

    __slots__ = ("_instance", "_names")

    def __init__(self, names: Sequence[str], instance: str) -> None:
        self._names = tuple(_writable(name) for name in names)
        self._instance = _writable(instance)

    def id_changes(self, stitched: Stitched, now_ms: int, tracking_id: object = None) -> list[Row]:
        """Return the rows of `id_changes`: deleted ones, the added or updated one, the evicted one.

        now_ms: the reading time. tracking_id: the event's `td_rt_tracking_id`, copied as it is.
        Must be called before the profile changes again. [] when nothing changed.
        """
        profile = stitched.profile
        if profile is None or not (stitched.new or stitched.merged):
            return []

        def row(change: str, rid: int, **filled: object) -> Row:
            return {
                "time": now_ms // 1000,
                "event_type": "id",
                "reactor_instance_id": self._instance,
                "profile_change_type": change,
                "current_rid": format_rid(rid),
                "current_id_attributes": None,
                "key_values": None,
                "merged_rids": None,
                "evicted_ids": None,
                "td_rt_tracking_id": tracking_id,
                **filled,
            }

        rows = [row("profile_deleted_by_stitching", rid) for rid in stitched.merged]
        rows.append(
            row(
                "profile_added" if stitched.founded else "profile_updated_by_stitching",
                profile[RID],
                current_id_attributes=self._texts(stitched.brought),
                key_values=",".join(self._texts(identifiers(profile, len(self._names)))),
                merged_rids=[format_rid(rid) for rid in stitched.merged],
            )
        )
        if stitched.evicted:
            rows.append(
                row(
                    "profile_ids_evicted",
                    profile[RID],
                    current_id_attributes=self._texts(stitched.brought),
                    evicted_ids=_json(self._texts(stitched.evicted)),
                )
            )
        return rows

    def validation_failures(
        self, failures: Sequence[Failure], now_ms: int, tracking_id: object = None
    ) -> list[Row]:
        """Return the one row of `validation_failures` that holds all of them; [] when there are none."""
        if not failures:
            return []
        return [
            {
                "time": now_ms // 1000,
                "event_type": "validation",
                "reactor_instance_id": self._instance,
                "invalid_keys": [_failure_json(failure) for failure in failures],
                "td_rt_tracking_id": tracking_id,
            }
        ]

    def _texts(self, pairs: Iterable[Identifier]) -> list[str]:
        return [f"{self._names[k]}:{value}" for k, value in pairs]


def _json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=_kind).decode()


def _failure_json(failure: Failure) -> str:
    """Write a failure as JSON text. A value with no JSON form is written as the name of its type."""
    key, value, reason = failure
    try:
        return _json({"key": _writable(key), "value": value, "reason": reason})
    except (TypeError, ValueError, RecursionError):
        pass
    plain = _writable(value) if isinstance(value, str) else _kind(value)
    return _json({"key": _writable(key), "value": plain, "reason": reason})


def _writable(text: str) -> str:
    """Return the text with its lone surrogates, which UTF-8 can't hold, written out."""
    return text.encode(errors="backslashreplace").decode()


def _kind(value: object) -> str:
    return type(value).__name__
