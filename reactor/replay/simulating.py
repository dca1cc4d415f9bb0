"""`simulate`: a history against a config, from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from reactor.frames import Source, need
from reactor.payload import Audience
from reactor.replay.options import Engine, Events, options
from reactor.replay.run import Replay, Run
from reactor.spec import Config


def simulate(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config,
    events: Events,
    *,
    table: str | None = None,
    batch: Source | None = None,
    audience: Audience = "public",
    since: object = None,
    until: object = None,
    limit: int | None = None,
    time: str | None = None,
    table_column: str | None = None,
    strict: bool = False,
    engine: Engine = "auto",
    memory: str | None = None,
    workers: int = 1,
) -> Run:
    """Replay a history against a config; return what was offered, and more on demand.

    config: a path, a mapping or a Config.
    events: a file, or several; a polars, pandas or Arrow table; an iterable of mappings; or a
        mapping of table → any of these. They are sorted by time; ties stay in the order given.
    table, table_column: the table of events that name none; or the column that names it.
    batch: rows for `import_batch`, loaded before the first event.
    since, until: times; events before `since` build state but give no rows, events at or after
        `until` are not read. limit: the most events, after sorting.
    time: the time column of all tables, in place of the config's.
    strict: the first bad row ends the run with an EventError; else it becomes a row of `rejects`.
    engine: "live" gives the engine one event after the other; "columnar" finds the same by columns, and
        is an error where it can't; "auto" is columnar where it can be. The answers are the same.
    memory: a size such as "2GB", for a history that is larger: about that much is held at once, beside
        the tables that are asked for; the rest waits in a temporary folder. The rows are the same.
    workers: how many processes replay the history side by side, each some of the profiles, by way of a
        temporary folder. The rows are the same.
    Raises ConfigError; EventError for what can't be read; ReactorError for arguments that don't fit.

    >>> config = {
    ...     "version": 1, "name": "shop",
    ...     "identity": {"keys": {"id": {}}},
    ...     "key_events": {"order": "shop.orders"},
    ...     "personalizations": {"page": {"sections": {"Thanks": {
    ...         "on": "order", "payload": {"strings": {"message": "Thank you"}}}}}},
    ... }
    >>> run = simulate(config, [{"id": "a", "time": 1700000000}, {"id": "b", "time": "soon"}])
    >>> run.offers["event", "section"].rows(), run.rejects["event", "path"].rows()
    ([(0, 'Thanks')], [(1, 'time')])
    """
    chosen = options(
        table=table,
        table_column=table_column,
        time=time,
        audience=audience,
        since=since,
        until=until,
        limit=limit,
        strict=strict,
        engine=engine,
    )
    if memory is None and workers == 1 and workers is not True:
        return Run(Replay(config, events, chosen, batch=batch))
    need("polars", "a replay")
    from reactor.replay.pieced import PiecedReplay, sizes_of

    sizes = sizes_of(memory, workers)
    replay = PiecedReplay(config, events, chosen, batch=batch, sizes=sizes, workers=workers)
    try:
        return Run(replay)
    except BaseException:
        replay.close()
        raise
