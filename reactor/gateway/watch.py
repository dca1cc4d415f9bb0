"""A file of batch rows, loaded when it changes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from reactor.errors import EventError, ReactorError
from reactor.frames import rows_of
from reactor.frames.rows import BadRow
from reactor.gateway.checks import Refused
from reactor.gateway.recovery import pack_rows
from reactor.gateway.service import Gateway
from reactor.spec import Config
from reactor.state import BatchReport

PERIOD_S: Final = 2.0


async def watch_batch_file(gateway: Gateway, path: Path, period_s: float = PERIOD_S) -> None:
    """Load a file now, unless the last run did, and again whenever it has changed and is at rest."""
    journal = gateway.settings.journal
    noted = None if journal is None else journal.path / "batch-file.json"
    loaded = _note(noted)
    before: list[int] | None = None
    while True:
        stamp = await asyncio.to_thread(_stamp, path)
        if stamp is not None and stamp != loaded and (stamp == before or before is None):
            if await _load(gateway, path):
                loaded = stamp
                if noted is not None:
                    await asyncio.to_thread(noted.write_bytes, msgspec.json.encode(loaded))
            else:
                # What can't be read now is not tried again until it is another.
                loaded = stamp
        before = stamp
        await asyncio.sleep(period_s)


async def _load(gateway: Gateway, path: Path) -> bool:
    reason = ""
    try:
        packed, left_out = await asyncio.to_thread(_packed, gateway.settings.config, path)
        report = await gateway.submit_rows(packed)
    except EventError as error:
        reason = error.reason
    except ReactorError as error:
        reason = str(error)
    except Refused as refused:
        reason = refused.refusal.message
    else:
        assert isinstance(report, BatchReport)
        gateway.log.info(
            "batch rows",
            file=path.name,
            rows=report.rows,
            refused=report.refused + left_out,
            matched=report.matched,
        )
        return True
    gateway.log.fault("batch rows", file=path.name, reason=reason)
    return False


def _packed(config: Config, path: Path) -> tuple[bytes, int]:
    """Return a file's rows as the journal keeps them, and how many were left out."""
    rows = rows_of(path, keys=[key.name for key in config.keys], most_bytes=config.limits.event_bytes)
    taken = list(rows.take(range(len(rows))))
    good = [row for row in taken if not isinstance(row, BadRow)]
    return pack_rows(good, replace=True), len(taken) - len(good)


def _stamp(path: Path) -> list[int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_mtime_ns, stat.st_size]


def _note(noted: Path | None) -> list[int] | None:
    try:
        return None if noted is None else msgspec.json.decode(noted.read_bytes(), type=list[int])
    except (OSError, msgspec.MsgspecError):
        return None
