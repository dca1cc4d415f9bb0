"""The gateway's heart: an accepted event is journaled, then answered by the engine in the journal's order.

Everything here runs in the event loop's thread, but for the journal's writes: the engine is
asked by one thread only, and in one order, which is the order a replay takes.

    submit ──▶ waiting ──▶ journal: one write, one sync ──▶ engine, one after the other ──▶ answers
                  ▲                    │
                  └── what arrives meanwhile waits for the next write
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from reactor.engine import Reactor
from reactor.errors import EventError
from reactor.gateway import checks
from reactor.gateway.checks import Refused
from reactor.gateway.dedupe import Dedupe, usable_uuid
from reactor.gateway.errors import GatewayError
from reactor.gateway.journal import Journal
from reactor.gateway.logs import Log, place_of
from reactor.gateway.metrics import Metrics
from reactor.gateway.recovery import (
    complete,
    load_rows,
    recover,
    save_in_child,
    snapshot_path,
    superfluous,
    time_column,
)
from reactor.gateway.registry import keep_registry
from reactor.gateway.segment import BATCH, EVENT, Entry
from reactor.gateway.settings import Journal as JournalSettings
from reactor.gateway.settings import Settings
from reactor.payload import Audience, Notes, Outcome
from reactor.state import BatchReport

Answer: TypeAlias = "Outcome | BatchReport"

MOST_NOTES: Final = 50  # recent identity changes, for the inspector


class Call(msgspec.Struct, eq=False):
    """A call on its way: what is journaled, how it is answered, and who waits for it.

    event: None for batch rows. is_stored_only: the ingest API, which gets no offers.
    """

    entry: Entry
    event: dict[str, Any] | None
    audience: Audience
    is_stored_only: bool
    is_repeat: bool
    begun: float
    future: asyncio.Future[Answer]


class Clock(msgspec.Struct, frozen=True):
    """What the gateway asks the machine: epoch seconds, a timer, a new uuid, random bytes."""

    now: Callable[[], float]
    timer: Callable[[], float]
    uuid: Callable[[], str]
    random: Callable[[int], bytes]


class Gateway:
    """An engine behind a journal.

    Made in any thread; `open` restores, `start` is called in the event loop, and so is everything else.
    """

    def __init__(self, settings: Settings, clock: Clock, log: Log) -> None:
        self.settings = settings
        self.clock = clock
        self.log = log
        self.metrics = Metrics()
        self.engine: Reactor | None = None
        self.notes: deque[Notes] = deque(maxlen=MOST_NOTES)
        self.failure: str | None = None
        self.start_error: Exception | None = None
        self.is_draining = False
        self._dedupe = Dedupe(settings.dedupe_ms)
        self._journal: Journal | None = None
        self._lock: int | None = None
        self._seq = self._snapshot_seq = 0
        self._applied = 0
        self._waiting: list[Call] = []
        self._written: list[Call] = []
        self._pending = 0
        self._next_snapshot = 0.0
        self._is_rotating = False
        self._child: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.metrics.watch(self._stats, self._lag)

    # Life

    def open(self) -> None:
        """Restore the engine. Takes as long as there is state; raises GatewayError, ConfigError."""
        journal = self.settings.journal
        if journal is None:
            self.engine = Reactor(self.settings.config)
            return
        self._lock = _locked(journal.path)
        try:
            self._restore(journal)
        except BaseException:
            self._unlock()
            raise

    def _restore(self, journal: JournalSettings) -> None:
        keep_registry(journal.path, self.settings.services, self.clock.random)
        recovered = recover(
            self.settings.config,
            journal.path,
            journal.dedupe_ms,
            lambda text: self.log.info("recovery", text=text),
        )
        self._dedupe = recovered.dedupe
        self._seq = self._applied = recovered.seq
        self._snapshot_seq = recovered.snapshot_seq
        self._journal = Journal(journal.path, recovered.seq + 1)
        self.engine = recovered.engine

    def start(self) -> None:
        """Begin to take calls in this event loop."""
        self._loop = asyncio.get_running_loop()
        if self.settings.journal is not None:
            self._next_snapshot = self.clock.timer() + self.settings.journal.snapshot_ms / 1000

    async def close(self) -> None:
        """Answer what was accepted, write a last snapshot, and let go of the files."""
        self.is_draining = True
        while self._pending:
            await asyncio.sleep(0.005)
        if self._child is not None:
            await self._child
        journal, settings = self._journal, self.settings.journal
        if journal is not None and settings is not None and self.engine is not None:
            if self._applied > self._snapshot_seq:
                self.engine.snapshot(snapshot_path(settings.path, self._applied))
                self._snapshot_seq = self._applied
                journal.remove(self._superfluous())
            journal.close()
            self._journal = None
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def is_ready(self) -> bool:
        """Whether calls are taken."""
        return self._loop is not None and self.engine is not None and not self.is_draining

    # Calls

    def check_room(self, count: int) -> None:
        """Raise Refused if so many more events would wait too long."""
        if not self.is_ready:
            raise Refused(checks.STORE_GONE if self.is_draining else checks.STARTING)
        if self._pending + count > self.settings.limits.queue and self._pending:
            raise Refused(checks.QUEUE_FULL)

    def submit(
        self, table: str, body: bytes, event: dict[str, Any], audience: Audience, *, stored_only: bool = False
    ) -> tuple[str, asyncio.Future[Answer]]:
        """Accept an event; return its uuid, and what will be its outcome.

        body: the event as sent. event: the same, decoded; it becomes the engine's.
        Raises Refused where there is no room, or the engine would refuse it whatever its state.
        """
        self.check_room(1)
        now_ms = int(self.clock.now() * 1000)
        sent = usable_uuid(event.get("uuid"))
        uuid = self.clock.uuid() if sent is None else sent
        column = time_column(self.settings.config, table)
        if column != "time":
            self._check_time(event, table, column)
        complete(event, uuid, now_ms, column)
        is_repeat = sent is not None and not self._dedupe.add(table, sent, now_ms)
        entry = Entry(0, EVENT, table, uuid, now_ms, body)
        return uuid, self._take(entry, event, audience, stored_only, is_repeat)

    def submit_rows(self, packed: bytes) -> asyncio.Future[Answer]:
        """Accept batch rows, as `pack_rows` packs them; return what will be the report."""
        self.check_room(1)
        now_ms = int(self.clock.now() * 1000)
        entry = Entry(0, BATCH, "", self.clock.uuid(), now_ms, packed)
        return self._take(entry, None, "private", True, False)

    def check_times(self, table: str, events: Sequence[dict[str, Any]]) -> None:
        """Refuse all of several events if a time of one can't be read. Raises Refused."""
        column = time_column(self.settings.config, table)
        if column != "time":
            for event in events:
                self._check_time(event, table, column)

    def _check_time(self, event: dict[str, Any], table: str, column: str) -> None:
        """Refuse a time that can't be read before anything is kept; `time` itself the door has checked."""
        assert self.engine is not None
        if event.get(column) is None:
            return
        try:
            self.engine.event_time(event, table)
        except EventError:
            pass
        else:
            return
        raise Refused(checks.EVENT)

    def _take(
        self,
        entry: Entry,
        event: dict[str, Any] | None,
        audience: Audience,
        stored_only: bool,
        is_repeat: bool,
    ) -> asyncio.Future[Answer]:
        assert self._loop is not None
        call = Call(
            entry, event, audience, stored_only, is_repeat, self.clock.timer(), self._loop.create_future()
        )
        if self._journal is None:
            self._answer(call)
            return call.future
        self._pending += 1
        self._waiting.append(call)
        if not self._written:
            self._write()
        return call.future

    # The journal

    def _write(self) -> None:
        """Hand over what waits; while it is written, more may gather."""
        assert self._journal is not None
        calls, self._waiting = self._waiting, []
        entries = []
        for call in calls:
            if not call.is_repeat:
                self._seq += 1
                call.entry = call.entry._replace(seq=self._seq)
                entries.append(call.entry)
        self._written = calls
        if self._is_rotating and entries:
            self._journal.rotate(entries[0].seq)
            self._is_rotating = False
        loop, begun = self._loop, self.clock.timer()
        assert loop is not None
        if not entries:
            loop.call_soon(self._done, calls, 0, begun, None)
            return
        self._journal.write(
            entries, lambda failed: _tell(loop, self._done, calls, len(entries), begun, failed)
        )

    def _done(self, calls: list[Call], count: int, begun: float, failed: str | None) -> None:
        """Answer what is written, in its order; the next write goes on meanwhile."""
        self._written = []
        if failed is not None:
            self._fail(calls, count, failed)
            return
        if count:
            self.failure = None
            self.metrics.commit_seconds.observe(self.clock.timer() - begun)
            self.metrics.committed += count
        if self._waiting:
            self._write()
        for call in calls:
            self._pending -= 1
            self._answer(call)
            self._applied = max(self._applied, call.entry.seq)
        self._save_if_due()

    def _fail(self, calls: list[Call], count: int, reason: str) -> None:
        """Refuse what could not be kept, and what waits behind it: a repeat there may be one of it."""
        self._seq -= count
        self.failure = reason
        self.metrics.failed += 1
        self.log.fault("journal failed", reason=reason, refused=len(calls) + len(self._waiting))
        behind, self._waiting = self._waiting, []
        for call in (*calls, *behind):
            self._pending -= 1
            if not call.is_repeat and call.event is not None:
                self._dedupe.drop(call.entry.place, call.entry.uuid)
            if not call.future.done():
                call.future.set_exception(Refused(checks.STORE_FAILED))

    # The engine

    def _answer(self, call: Call) -> None:
        timer = self.clock.timer
        begun = timer()
        try:
            answer = self._ask(call)
        except EventError as error:
            # What a profile's or the engine's own state refuses; the rest was checked before.
            refusal = checks.STORE_FAILED if error.path.startswith("limits") else checks.EVENT
            self._reject(call, refusal)
            return
        except Exception as error:
            # A bug must not stop those who wait behind.
            self.log.fault("engine failed", error=place_of(error), table=call.entry.place)
            self._reject(call, checks.UNKNOWN)
            return
        self.metrics.engine_seconds.observe(timer() - begun)
        if not call.future.done():
            call.future.set_result(answer)

    def _ask(self, call: Call) -> Answer:
        engine, entry = self.engine, call.entry
        assert engine is not None
        now = entry.now_ms / 1000
        if call.event is None:
            return load_rows(engine, entry.body)
        if call.is_repeat:
            self.metrics.repeats += 1
            return engine.evaluate(call.event, entry.place, audience=call.audience, now=now)
        if call.is_stored_only:
            outcome = engine.ingest(call.event, entry.place, now=now)
        else:
            outcome = engine.process(call.event, entry.place, audience=call.audience, now=now)
        if outcome.notes is not None and self.settings.inspector != "none":
            self.notes.append(outcome.notes)
        return outcome

    def _reject(self, call: Call, refusal: checks.Refusal) -> None:
        if not call.future.done():
            call.future.set_exception(Refused(refusal))

    # Snapshots

    def _save_if_due(self) -> None:
        journal = self.settings.journal
        if journal is None or self._child is not None or self._applied == self._snapshot_seq:
            return
        is_due = self._applied - self._snapshot_seq >= journal.snapshot_events
        if is_due or self.clock.timer() >= self._next_snapshot:
            self.save()

    def save(self) -> None:
        """Write a snapshot of all that was answered, in the background; see `save_in_child`."""
        settings, journal, engine, loop = self.settings.journal, self._journal, self.engine, self._loop
        if settings is None or journal is None or engine is None or loop is None or self._child is not None:
            return
        seq, begun = self._applied, self.clock.timer()
        child = save_in_child(engine, snapshot_path(settings.path, seq))
        self.metrics.snapshot_pause_seconds = self.clock.timer() - begun
        self._next_snapshot = begun + settings.snapshot_ms / 1000
        if child is None:
            engine.snapshot(snapshot_path(settings.path, seq))
            self._saved(seq, 0, begun)
            return
        waiting = loop.run_in_executor(None, os.waitpid, child, 0)
        self._child = asyncio.ensure_future(self._wait_for_child(waiting, seq, begun))

    async def _wait_for_child(self, waiting: asyncio.Future[tuple[int, int]], seq: int, begun: float) -> None:
        _, status = await waiting
        self._child = None
        self._saved(seq, status, begun)

    def _saved(self, seq: int, status: int, begun: float) -> None:
        if status:
            self.log.fault("snapshot failed", entry=seq, status=status)
            return
        self._snapshot_seq = seq
        self.metrics.snapshots += 1
        self.log.info("snapshot", entry=seq, seconds=round(self.clock.timer() - begun, 3))
        if self._journal is not None:
            self._is_rotating = True
            self._journal.remove(self._superfluous())

    def _superfluous(self) -> Sequence[Path]:
        settings = self.settings.journal
        assert settings is not None
        now_ms = int(self.clock.now() * 1000)
        return superfluous(settings.path, settings.dedupe_ms, now_ms, keep=settings.keep)

    # Figures

    def _stats(self) -> dict[str, Any] | None:
        return None if self.engine is None else self.engine.stats()

    def _lag(self) -> tuple[int, float]:
        oldest = min((call.begun for call in (*self._written[:1], *self._waiting[:1])), default=None)
        return self._pending, 0.0 if oldest is None else self.clock.timer() - oldest

    def state(self) -> dict[str, Any]:
        """Return what `/healthz` says."""
        word = "starting"
        if self.is_draining:
            word = "draining"
        elif self.failure is not None:
            word = "failing"
        elif self.is_ready:
            word = "ok"
        return {"status": word, "journal": self._journal is not None, "entry": self._applied}


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    # The loop may be gone: then nobody waits any more.
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *arguments)


def _locked(folder: Path) -> int:
    """Make the journal's folder, and hold it against a second gateway."""
    reason = "another gateway uses it"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return lock
    except OSError as error:
        reason = (error.strerror or "it can't be written").lower()
    raise GatewayError(f"{folder}: expected a folder for the journal, got: {reason}")
