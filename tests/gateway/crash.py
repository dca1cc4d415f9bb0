"""Kills a gateway under load, again and again: what it acknowledged is there once, and the state is right.

    python tests/gateway/crash.py 300      # kills; prints what was acknowledged, and what was not

Each round starts a gateway on the same folder, sends events from several clients, and kills it after
a random time with SIGKILL, in the middle of writes, answers and snapshots. Events that were not
acknowledged are sent again in the next round, under the same uuid. After each round:

- every acknowledged event is in the journal, and no uuid is in it twice;
- what a start recovers, from the last snapshot and the journal behind it, equals to the byte a clean
  run over the journal's entries from the first one on.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

from running import CLOCK, GATEWAY, server_headers, wait

from reactor import Reactor
from reactor.gateway.logs import Log
from reactor.gateway.recovery import apply_entry, recover
from reactor.gateway.segment import Reader
from reactor.gateway.server import bind, serve
from reactor.gateway.service import Gateway
from reactor.gateway.settings import Settings, load_settings

CLIENTS = 4
LONGEST_S = 0.35


class Load:
    """What the clients sent: acknowledged or not, by uuid."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._number = 0
        self._lock = threading.Lock()
        self.acknowledged: set[str] = set()
        self.unsure: dict[str, dict[str, Any]] = {}

    def event(self) -> dict[str, Any]:
        """Return an event to send: one that was not acknowledged, or a new one."""
        with self._lock:
            if self.unsure and self._random.random() < 0.5:
                return self.unsure.pop(next(iter(self.unsure)))
            self._number += 1
            who = f"c{self._random.randrange(50)}"
            return {"uuid": f"e-{self._number}", "td_client_id": who, "customer_id": f"k{self._number % 7}"}

    def send(self, port: int) -> None:
        """Send events until the gateway is gone."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while True:
            event = self.event()
            try:
                connection.request("POST", "/web_db/pageviews", json.dumps(event), server_headers())
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                with self._lock:
                    self.unsure[event["uuid"]] = event
                connection.close()
                return
            with self._lock:
                if answer.status == 200:
                    self.acknowledged.add(event["uuid"])
                else:
                    self.unsure[event["uuid"]] = event
            if answer.status != 200:  # it starts: asking on would only keep it from that
                time.sleep(0.02)


def crash(count: int, random: Random) -> tuple[int, int, int]:
    """Kill a gateway `count` times; return events acknowledged, events kept, and restarts from a snapshot."""
    load = Load(random)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "j"
        journal = {"path": str(folder), "keep": True, "snapshot_events": 40, "dedupe": "60s"}
        settings = load_settings({**GATEWAY, "journal": journal}, environ={})
        clean, seen, uuids, from_snapshot = Reactor(settings.config), 0, set[str](), 0
        for _ in range(count):
            _round(settings, load, random)
            for entry in Reader(folder).entries(seen):
                assert entry.seq == seen + 1, "an entry is missing"
                assert entry.uuid not in uuids, "an event is in the journal twice"
                uuids.add(entry.uuid)
                apply_entry(clean, entry)
                seen = entry.seq
            lost = load.acknowledged - uuids
            assert not lost, f"{len(lost)} acknowledged events are lost"
            recovered = recover(settings.config, folder, 60_000, lambda text: None)
            assert recovered.seq == seen
            recovered.engine.check()
            assert _bytes(recovered.engine, name) == _bytes(clean, name), "the state differs from a clean run"
            from_snapshot += recovered.snapshot_seq > 0
    return len(load.acknowledged), seen, from_snapshot


def _round(settings: Settings, load: Load, random: Random) -> None:
    listening = bind(settings)
    port = listening.getsockname()[1]
    listening.listen(64)
    child = os.fork()
    if not child:
        try:
            serve(Gateway(settings, CLOCK, Log(None, CLOCK.now)), [listening])
        finally:
            os._exit(1)
    listening.close()
    threads = [threading.Thread(target=load.send, args=(port,)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    before = len(load.acknowledged)
    if random.random() < 0.9:  # else it may die while it starts
        wait(lambda: len(load.acknowledged) > before, 120)
    time.sleep(random.uniform(0, LONGEST_S))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for thread in threads:
        thread.join()


def _bytes(engine: Reactor, folder: str) -> bytes:
    path = Path(folder) / "compared.state"
    engine.snapshot(path)
    return path.read_bytes()


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    acknowledged, kept, resumed = crash(rounds, Random(seed))
    print(
        f"seed {seed}: {rounds} kills, {acknowledged} events acknowledged, {kept} kept, none lost,"
        f" none twice; {resumed} states came from a snapshot and the journal behind it"
    )
