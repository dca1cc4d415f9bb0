"""What stitching did, and the vendor's log rows about it.

The rows hold identifiers: they are private data, for the embedder's own log. They are built
only when someone asks for them, from the little that stitching noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from reactor.identity.rid import format_rid
from reactor.identity.validate import Failure

# A profile is a flat row. Its header, of which identity owns all but the two times' later changes:
RID: Final = 0  # int
CREATED: Final = 1  # ms, the earliest event time
NEWEST: Final = 2  # ms, the newest event time
ABSORBED: Final = 3  # None, or {merged-away rid: ms of the merge}
KEYS: Final = 4  # one slot a key, in config order: None, or {value: ms it was last seen}, in no order

Profile: TypeAlias = list[Any]
Identifier: TypeAlias = tuple[int, str]  # index of the key, value
Row: TypeAlias = dict[str, object]


class Stitched(msgspec.Struct, frozen=True, gc=False):
    """What one event, or one batch row, did to the partition.

    profile: the row that now holds its identifiers; None if it had no usable one.
    new: its identifiers that were on no profile before, in config order; some may be evicted again.
    merged: the rids of the profiles that the survivor absorbed now, ascending.
    evicted, evicted_rids: what the ceiling on associations removed, first evicted first.
    failures: its values that can't be identifiers.
    founded: the profile is new.
    """

    profile: Profile | None
    new: tuple[Identifier, ...] = ()
    merged: tuple[int, ...] = ()
    evicted: tuple[Identifier, ...] = ()
    evicted_rids: tuple[int, ...] = ()
    failures: tuple[Failure, ...] = ()
    founded: bool = False

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{len(getattr(self, name))} {name}" for name in ("new", "merged", "evicted", "failures")
        )
        return f"Stitched({counts})"


NOTHING: Final = Stitched(None)


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
        if profile is None or not (stitched.new or stitched.merged or stitched.evicted):
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
                current_id_attributes=self._texts(stitched.new),
                key_values=",".join(self._texts(identifiers(profile, len(self._names)))),
                merged_rids=[format_rid(rid) for rid in stitched.merged],
            )
        )
        if stitched.evicted:
            rows.append(
                row(
                    "profile_ids_evicted",
                    profile[RID],
                    current_id_attributes=self._texts(stitched.new),
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


def identifiers(profile: Profile, keys: int) -> list[Identifier]:
    """Return the profile's identifiers: by key, in config order, then by value.

    >>> identifiers([1, 0, 0, None, {"b": 5, "a": 6}, None, {"x": 7}], keys=3)
    [(0, 'a'), (0, 'b'), (2, 'x')]
    """
    return [(k, value) for k in range(keys) for value in sorted(profile[KEYS + k] or ())]


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
