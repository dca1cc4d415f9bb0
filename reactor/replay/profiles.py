"""The table of profiles: what is known of each at one time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from reactor.engine import Reactor
from reactor.payload import Audience
from reactor.replay.tables import TEXTS, TIME, TableBuilder, part_columns
from reactor.units import to_datetime


def profiles_frame(
    engine: Reactor, keys: Sequence[str], audience: Audience, at_ms: int | None
) -> pl.DataFrame:
    """Return a row a profile, oldest first: rid, created, last_seen, parts, sections.

    keys: the stitching keys, columns between last_seen and the parts for a private audience only.
    at_ms: the time to read at; a profile is never read before its newest event.
    """
    parts = engine.part_names(audience)
    own: dict[str, Any] = {"rid": pl.String, "created": TIME, "last_seen": TIME}
    if audience == "private":
        own.update((f"keys.{name}" if name in own else name, TEXTS) for name in keys)
    names = [part.name for part in parts]
    columns = part_columns(names, [part.type for part in parts], [*own, "sections"])
    table = TableBuilder({**own, **columns, "sections": TEXTS})
    now = None if at_ms is None else to_datetime(at_ms)
    for rid in engine.rids():
        profile = engine.profile(rid=rid, now=now)
        if profile is None:  # idle for too long, and not cleared away yet
            continue
        row: list[object] = [profile.rid, profile.created, profile.last_seen]
        if audience == "private":
            row += [list(profile.keys.get(name, ())) for name in keys]
        row += [profile.attributes.get(name) for name in names]
        offers = engine.offers(rid=rid, now=now, audience=audience).offers
        table.add([*row, list(offers)])
    return table.finish()
