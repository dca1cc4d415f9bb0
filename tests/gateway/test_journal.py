"""What is acknowledged is kept: restarts, repeats over restarts, damage, a disk that fails."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from running import CLOCK, GATEWAY, OFFER, Running, running

from reactor import ConfigError, Reactor, simulate
from reactor.cli import main
from reactor.gateway.errors import GatewayError
from reactor.gateway.journal import Journal
from reactor.gateway.logs import Log
from reactor.gateway.recovery import recover, snapshots
from reactor.gateway.segment import EVENT, Entry, Reader, Segment, first_of, path_of, paths, torn_end
from reactor.gateway.service import Gateway
from reactor.gateway.settings import Settings, load_settings

EVENT_OF = {"td_client_id": "ann"}


def journal(path: Path, **more: Any) -> dict[str, Any]:
    """Return the settings of a journal in a folder."""
    return {"path": str(path / "j"), **more}


def visits(server: Running) -> int:
    """Count one more visit, and return them all."""
    got = server.post(EVENT_OF).json["offers"]["Hello"]["attributes"]["visits"]
    assert isinstance(got, int)
    return got


def test_a_restart_goes_on(tmp_path: Path) -> None:
    """Events, batch rows and repeats are as they were; a snapshot is left, and nothing to replay."""
    seen = {**EVENT_OF, "uuid": "6f1c8c11-0000-4000-8000-000000000001"}
    with running(journal=journal(tmp_path)) as server:
        server.post([{"customer_id": "7", "tier": "gold"}], "/_batch")
        assert visits(server) == 1
        server.post(seen)
        server.post([EVENT_OF, EVENT_OF], "/records/web_db/pageviews")
    with running(journal=journal(tmp_path)) as server:
        assert server.post(seen).json["offers"]["Hello"]["attributes"]["visits"] == 4
        assert visits(server) == 5
        assert "Loyal" in server.post({"customer_id": "7"}).json["offers"]
        assert "replayed" not in server.log.getvalue()
        assert server.ask("GET", "/healthz").json == {"status": "ok", "journal": True, "entry": 7}


def test_the_journal_alone_is_enough(tmp_path: Path) -> None:
    """Without the last snapshot everything is replayed, to the same bytes."""
    folder = tmp_path / "j"
    with running(journal=journal(tmp_path)) as server:
        server.post([{"customer_id": "7", "tier": "gold"}], "/_batch")
        for number in range(20):
            server.post({"td_client_id": f"c{number % 3}", "customer_id": "7"} if number % 2 else EVENT_OF)
        settings = server.gateway.settings
    (seq, snapshot), *_ = snapshots(folder)
    whole = snapshot.read_bytes()
    snapshot.unlink()
    said: list[str] = []
    recovered = recover(settings.config, folder, 60_000, said.append)
    assert (21, 21, 0) == (recovered.seq, recovered.replayed, recovered.snapshot_seq)
    assert seq == 21
    recovered.engine.snapshot(tmp_path / "again")
    assert whole == (tmp_path / "again").read_bytes()


def test_snapshots_while_serving(tmp_path: Path) -> None:
    """Files rotate behind snapshots, two snapshots stay, and what both hold is pruned."""
    folder = tmp_path / "j"
    with running(journal=journal(tmp_path, snapshot_events=5, dedupe="1s")) as server:
        gateway = server.gateway
        for number in range(60):
            assert visits(server) == number + 1
            while gateway._child is not None:
                server.ask("GET", "/healthz")
        assert len(snapshots(folder)) <= 3
        assert b"reactor_snapshots_total 0.0" not in gateway.metrics.text()
        settings = gateway.settings
    assert 60 == snapshots(folder)[0][0]
    # Whichever snapshot is read, the journal goes on from it.
    assert first_of(paths(folder)[0]) <= snapshots(folder)[1][0] + 1
    snapshots(folder)[0][1].write_bytes(b"damaged")
    said: list[str] = []
    recovered = recover(settings.config, folder, 60_000, said.append)
    assert recovered.seq == 60
    assert recovered.replayed > 0
    assert said[0].startswith("a snapshot can't be used, trying the one before")


def test_a_second_gateway_is_refused(tmp_path: Path, settings: Settings) -> None:
    with running(journal=journal(tmp_path)) as server:
        second = Gateway(server.gateway.settings, CLOCK, Log(None, CLOCK.now))
        with pytest.raises(GatewayError, match="another gateway uses it"):
            second.open()


def test_a_failing_disk_is_no_acknowledgement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails is answered 500; the event is not applied, and its repeat is taken as new."""
    event = {**EVENT_OF, "uuid": "6f1c8c11-0000-4000-8000-000000000002"}
    with running(journal=journal(tmp_path)) as server:
        assert visits(server) == 1
        with monkeypatch.context() as patch:

            def full(self: Segment, entries: object) -> None:
                raise sqlite3.OperationalError("database or disk is full")

            patch.setattr(Segment, "append", full)
            answer = server.post(event)
            assert (500, 2021) == (answer.status, answer.json["code"])
            assert server.post(event, "/records/web_db/pageviews").status == 500
            health = server.ask("GET", "/healthz")
            assert (503, "failing") == (health.status, health.json["status"])
        assert server.post(event).json["offers"]["Hello"]["attributes"]["visits"] == 2
        assert server.ask("GET", "/healthz").status == 200
        assert '"reason":"database or disk is full"' in server.log.getvalue()


def test_a_full_disk_for_real(tmp_path: Path) -> None:
    """SQLite itself says that there is no room: a bound on the file's pages stands in for the disk."""
    segment = Segment(path_of(tmp_path, 1))
    segment._connection.execute("PRAGMA max_page_count = 8")
    entries = [Entry(n, EVENT, "t.t", "u", 1, b"x" * 2_000) for n in range(1, 30)]
    with pytest.raises(sqlite3.OperationalError, match="full"):
        segment.append(entries)
    segment.append(entries[:1])
    assert segment.last() == 1
    segment.close()


def filled(folder: Path, count: int) -> list[Entry]:
    """Write a journal of some entries, one commit each, and leave its WAL as a crash would."""
    segment = Segment(path_of(folder, 1))
    entries = [
        Entry(n, EVENT, "web_db.pageviews", f"u{n}", n, b'{"td_client_id": "ann"}')
        for n in range(1, count + 1)
    ]
    for entry in entries:
        segment.append([entry])
    copies = {path: path.read_bytes() for path in folder.iterdir()}
    segment.close()
    for path, content in copies.items():
        path.write_bytes(content)
    return entries


def test_a_torn_tail(tmp_path: Path, settings: Settings) -> None:
    """Cut anywhere, what comes back is a beginning of what was written, and the cut is told."""
    (tmp_path / "whole").mkdir()
    entries = filled(tmp_path / "whole", 12)
    database, wal = (path_of(tmp_path / "whole", 1).with_suffix(end) for end in (".sqlite", ".sqlite-wal"))
    size = wal.stat().st_size
    lengths = set()
    for cut in range(40, size, size // 17):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / database.name).write_bytes(database.read_bytes())
        (folder / wal.name).write_bytes(wal.read_bytes()[:cut])
        is_torn = torn_end(folder / database.name) != ""
        said: list[str] = []
        recovered = recover(settings.config, folder, 60_000, said.append)
        lengths.add(recovered.seq)
        assert 0 <= recovered.seq <= 12
        assert is_torn == any("dropped an unfinished write at its end" in text for text in said)
        again = Journal(folder, recovered.seq + 1)
        again.close()
        assert [*Reader(folder).entries(0)] == entries[: recovered.seq]
    assert len(lengths) > 5


def test_a_flipped_bit(tmp_path: Path, settings: Settings) -> None:
    """Changed anywhere, in the WAL or behind it, entries come back up to the change; never another one."""
    (tmp_path / "whole").mkdir()
    filled(tmp_path / "whole", 30)
    database = path_of(tmp_path / "whole", 1)
    sqlite3.connect(database).close()  # moves the WAL into the file
    content = database.read_bytes()
    expected = [*Reader(tmp_path / "whole").entries(0)]
    assert len(expected) == 30
    shorter = 0
    for at in range(0, len(content), 211):
        folder = tmp_path / str(at)
        folder.mkdir()
        changed = bytearray(content)
        changed[at] ^= 0x10
        (folder / database.name).write_bytes(changed)
        reader = Reader(folder)
        got = [*reader.entries(0)]
        assert got == expected[: len(got)]
        assert len(got) == 30 or reader.damage is not None
        shorter += len(got) < 30
    assert shorter > 5


def test_damage_is_set_aside(tmp_path: Path, settings: Settings) -> None:
    """What is whole goes on under a snapshot of its own; the rest stays for whoever wants to look."""
    filled(tmp_path, 5)
    sqlite3.connect(path_of(tmp_path, 1)).close()
    with sqlite3.connect(path_of(tmp_path, 1)) as connection:
        connection.execute("UPDATE entries SET body = x'7b7d' WHERE seq = 4")
    connection.close()
    said: list[str] = []
    recovered = recover(settings.config, tmp_path, 60_000, said.append)
    assert (3, 3) == (recovered.seq, recovered.snapshot_seq)
    assert "recovered to the last whole entry, 3" in said[0]
    assert [path.name for path in tmp_path.glob("*.damaged")] == [path_of(tmp_path, 1).name + ".damaged"]
    going_on = Journal(tmp_path, 4)
    going_on.close()
    assert recover(settings.config, tmp_path, 60_000, said.append).seq == 3


def test_missing_entries_are_no_start(tmp_path: Path, settings: Settings) -> None:
    """Entries that were pruned and are needed after all: nothing is guessed."""
    filled(tmp_path, 5)
    path_of(tmp_path, 1).rename(path_of(tmp_path, 3))
    for ending in ("-wal", "-shm"):
        path_of(tmp_path, 1).with_suffix(".sqlite" + ending).unlink()
    Segment(path_of(tmp_path, 3)).close()
    with sqlite3.connect(path_of(tmp_path, 3)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS entries (seq, kind, place, uuid, now_ms, body, crc)")
        entry = Entry(3, EVENT, "web_db.pageviews", "u", 1, b"{}")
        connection.execute("DELETE FROM entries")
        connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", (*entry, entry.crc()))
    connection.close()
    with pytest.raises(GatewayError, match="are missing"):
        recover(settings.config, tmp_path, 60_000, lambda text: None)


def test_a_service_keeps_its_type(tmp_path: Path) -> None:
    """Neither the type of a service nor a token changes under its name; a new name is fine."""

    def services(*, public: bool, value: str, name: str = "t") -> list[dict[str, Any]]:
        return [{"name": "s", "public": public, "tokens": [{"name": name, "value": value}]}]

    with running(journal=journal(tmp_path), services=services(public=False, value="a")):
        pass
    for changed, text in (
        (services(public=True, value="a"), "it can't be changed"),
        (services(public=False, value="b"), "can be created and deleted, not edited"),
    ):
        changed_settings = load_settings(
            {**GATEWAY, "journal": journal(tmp_path), "services": changed}, environ={}
        )
        with pytest.raises(ConfigError, match=text):
            Gateway(changed_settings, CLOCK, Log(None, CLOCK.now)).open()
    with running(journal=journal(tmp_path), services=services(public=False, value="b", name="t2")) as server:
        assert server.post(EVENT_OF, wp13n_token="12345/3/b").json == {"offers": OFFER}
    secrets = (tmp_path / "j" / "services.json").read_text()
    assert '"b"' not in secrets


def test_entries_are_hidden() -> None:
    assert repr(Entry(1, EVENT, "t", "u", 0, b"secret")) == "Entry(1, 1, 6 bytes)"


def test_live_and_replayed_engines_agree_on_minted_values(tmp_path: Path, settings: Settings) -> None:
    """An event without time and uuid is given both when it is accepted, and the same ones again."""
    with running(journal=journal(tmp_path)) as server:
        server.post({"td_client_id": "x"})
        live = server.gateway.engine
        assert isinstance(live, Reactor)
        seen = live.profile({"td_client_id": "x"})
    for _, path in snapshots(tmp_path / "j"):
        path.unlink()
    again = recover(settings.config, tmp_path / "j", 60_000, lambda text: None).engine
    assert seen is not None
    assert seen == again.profile({"td_client_id": "x"})
    assert abs(seen.created.timestamp() - CLOCK.now()) < 60


def test_the_journal_is_a_history(tmp_path: Path) -> None:
    """`reactor journal` writes events that `simulate` answers as the gateway did."""
    config = tmp_path / "reactor.json"
    config.write_text(json.dumps(GATEWAY["config"]))
    with running(journal=journal(tmp_path)) as server:
        server.post([{"customer_id": "7", "tier": "gold"}], "/_batch")
        live = [server.post({"td_client_id": f"c{n % 3}"}).json["offers"] for n in range(9)]
        server.post({"customer_id": "7", "ordered_at": 253402300799}, "/web_db/orders")
        live.append(server.post({"customer_id": "7", "time": 253402300799}).json["offers"])
    events, rows = tmp_path / "events.jsonl", tmp_path / "rows.jsonl"
    assert (
        main(["journal", str(config), str(tmp_path / "j"), "--out", str(events), "--batch", str(rows)]) == 0
    )
    run = simulate(str(config), str(events), table_column="table", batch=str(rows), audience="private")
    replayed: dict[int, dict[str, Any]] = {}
    for offer in run.offers.iter_rows(named=True):
        replayed.setdefault(offer["event"], {})[offer["section"]] = json.loads(offer["attributes"])
    expected = [{name: offer["attributes"] for name, offer in offers.items()} for offers in live]
    assert expected == [replayed[number] for number in sorted(replayed)]
