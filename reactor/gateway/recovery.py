"""Start where the last run ended: the last snapshot, then the journal behind it."""

from __future__ import annotations

import os
import signal
import sqlite3
import warnings
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from reactor.engine import Reactor
from reactor.errors import EventError, ReactorError, SnapshotError
from reactor.event import as_event
from reactor.gateway.dedupe import Dedupe
from reactor.gateway.errors import GatewayError
from reactor.gateway.segment import BATCH, Damage, Entry, Reader, first_of, paths
from reactor.spec import Config, model
from reactor.state import BatchReport

Say: TypeAlias = Callable[[str], None]

_SNAPSHOTS_KEPT: Final = 2  # the last, and one to fall back on
_decode = msgspec.json.Decoder().decode


class Recovered(NamedTuple):
    """What a start found: the engine, the number of the last entry in it, and what was seen before."""

    engine: Reactor
    seq: int
    snapshot_seq: int
    dedupe: Dedupe
    replayed: int


def snapshot_path(folder: Path, seq: int) -> Path:
    """Name the snapshot that holds everything up to the entry `seq`."""
    return folder / f"snapshot-{seq:016d}.state"


def snapshots(folder: Path) -> list[tuple[int, Path]]:
    """Return the snapshots of a folder as (seq, path), the newest first."""
    found = folder.glob("snapshot-" + "[0-9]" * 16 + ".state")
    return sorted(((int(path.stem.partition("-")[2]), path) for path in found), reverse=True)


def recover(config: Config, folder: Path, window_ms: int, say: Say) -> Recovered:
    """Return an engine as the last run left it.

    say: told what a person should know: what was replayed, what was not whole.
    Raises GatewayError if entries are missing, so that the state can't be had.
    """
    for left in folder.glob("*.tmp"):
        left.unlink(missing_ok=True)
    engine, snapshot_seq = _last_snapshot(config, folder, say)
    reader = Reader(folder)
    seq, replayed = snapshot_seq, 0
    for entry in reader.entries(snapshot_seq):
        apply_entry(engine, entry)
        seq, replayed = entry.seq, replayed + 1
    for path, torn in reader.torn:
        say(f"{path.name}: dropped an unfinished write at its end ({torn}); entries are whole up to {seq}")
    dedupe = _seen(folder, seq, window_ms)
    if reader.damage is not None:
        _give_up_rest(folder, reader.damage, snapshot_seq, engine, seq, say)
        snapshot_seq = seq
    if replayed:
        say(f"replayed {replayed} entries behind the last snapshot")
    return Recovered(engine, seq, snapshot_seq, dedupe, replayed)


def _last_snapshot(config: Config, folder: Path, say: Say) -> tuple[Reactor, int]:
    for seq, path in snapshots(folder):
        try:
            engine = Reactor(config, state=path)
        except SnapshotError as error:
            say(f"a snapshot can't be used, trying the one before: {error}")
            continue
        if engine.loaded is not None:
            lost = [change.name for change in (*engine.loaded.reset, *engine.loaded.dropped)]
            names = f"; begun anew or gone: {', '.join(lost)}" if lost else "; every attribute is kept"
            say(f"the config has changed since {path.name}{names}")
        return engine, seq
    return Reactor(config), 0


def _give_up_rest(
    folder: Path, damage: Damage, snapshot_seq: int, engine: Reactor, seq: int, say: Say
) -> None:
    """Set damaged files aside; what is whole goes on from a snapshot of its own."""
    if damage.seq == snapshot_seq + 1 and damage.got.startswith("entry"):
        raise GatewayError(
            f"{damage.path}: expected entry {damage.seq}, got {damage.got}: entries between the snapshot and"
            " the journal are missing; bring back a backup of the folder, or begin with an empty one"
        )
    engine.snapshot(snapshot_path(folder, seq))
    aside = [path for path in paths(folder) if path >= damage.path]
    for path in aside:
        path.rename(path.with_name(path.name + ".damaged"))
        for ending in ("-wal", "-shm"):
            with suppress(OSError):
                path.with_name(path.name + ending).rename(path.with_name(path.name + ending + ".damaged"))
    names = ", ".join(path.name for path in aside)
    say(
        f"{damage.path.name}: expected entry {damage.seq}, got {damage.got}; recovered to the last whole"
        f" entry, {seq}; set aside as .damaged: {names}"
    )


def _seen(folder: Path, seq: int, window_ms: int) -> Dedupe:
    """Return the uuids of the window, as the journal has them."""
    dedupe = Dedupe(window_ms)
    files = paths(folder)
    begin, newest = seq, None
    # Backwards over the files, as far as the window reaches.
    for path in reversed(files):
        span = _times(path)
        if span is not None:
            newest = span[1] if newest is None else newest
            if span[1] < newest - window_ms:
                break
            begin = min(begin, first_of(path) - 1)
    for entry in Reader(folder).entries(begin):
        if entry.kind != BATCH and entry.seq <= seq:
            dedupe.add(entry.place, entry.uuid, entry.now_ms)
    return dedupe


def _times(path: Path) -> tuple[int, int] | None:
    """Return when a file's first and last entries were accepted; None where it has none to show."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        first, last = connection.execute(
            "SELECT (SELECT now_ms FROM entries ORDER BY seq LIMIT 1),"
            " (SELECT now_ms FROM entries ORDER BY seq DESC LIMIT 1)"
        ).fetchone()
        return None if first is None else (first, last)
    return None


def complete(event: dict[str, Any], uuid: str, now_ms: int, time_column: str) -> dict[str, Any]:
    """Give an event the time and the uuid it came without.

    >>> complete({"path": "/"}, "u-1", 1_700_000_000_250, "time")
    {'path': '/', 'time': 1700000000.25, 'uuid': 'u-1'}
    """
    if time_column == "time" and event.get("time") is None:
        event["time"] = now_ms / 1000
    if event.get("uuid") is None:
        event["uuid"] = uuid
    return event


def time_column(config: model.Config, table: str) -> str:
    """Return the name of a table's time column."""
    known = config.tables.get(table)
    return "time" if known is None else known.time


def event_of(config: model.Config, entry: Entry) -> dict[str, Any]:
    """Return the event of an entry as the engine was given it."""
    event = as_event(entry.body, len(entry.body))
    return complete(event, entry.uuid, entry.now_ms, time_column(config, entry.place))


def apply_entry(engine: Reactor, entry: Entry) -> None:
    """Do to an engine what the entry did when it was accepted; a refused event is refused again."""
    try:
        if entry.kind == BATCH:
            load_rows(engine, entry.body)
        else:
            engine.ingest(event_of(engine.config, entry), entry.place, now=entry.now_ms / 1000)
    except EventError:
        pass


def pack_rows(rows: list[dict[str, Any]], *, replace: bool) -> bytes:
    """Return batch rows as the journal keeps them."""
    return zlib.compress(msgspec.json.encode({"rows": rows, "replace": replace}), 1)


def load_rows(engine: Reactor, body: bytes) -> BatchReport:
    """Load the batch rows of an entry into an engine."""
    load = _decode(zlib.decompress(body))
    return engine.import_batch(load["rows"], replace=load["replace"])


def superfluous(folder: Path, window_ms: int, now_ms: int, *, keep: bool) -> list[Path]:
    """Return the files that no start will need: behind the older snapshot and out of the window."""
    kept = snapshots(folder)
    old = [path for _, path in kept[_SNAPSHOTS_KEPT:]]
    if keep or len(kept) < _SNAPSHOTS_KEPT:
        return old
    needed_from = kept[_SNAPSHOTS_KEPT - 1][0] + 1
    files = paths(folder)
    for path, following in pairwise(files):
        span = _times(path)
        if first_of(following) > needed_from or (span is not None and span[1] >= now_ms - window_ms):
            break
        old.append(path)
    return old


def save_in_child(engine: Reactor, path: Path) -> int | None:
    """Write a snapshot in a forked child, while this process goes on; return the child's id.

    None where the system can't fork. The child has the memory as it was at the call; the pause
    is the fork's own. It leaves every file and socket of its parent alone.
    """
    if not hasattr(os, "fork"):
        return None
    with warnings.catch_warnings():
        # Later Pythons warn of threads: the child touches nothing that another thread may hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(3, 65536)
        os.nice(10)
        engine.snapshot(path)
        code = 0
    except ReactorError:
        pass
    finally:
        os._exit(code)
    return None
