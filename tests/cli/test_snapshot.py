"""`reactor snapshot`, `reactor inspect`, and `--state` on `process` and `simulate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import Run

CONFIG = {
    "version": 1,
    "name": "shop",
    "identity": {"secret": "s", "lookup_key": "customer", "keys": {"cookie": {}, "customer": {}}},
    "key_events": {"view": "web"},
    "attributes": {
        "visits": {"type": "counter", "on": "view", "window": "30d"},
        "tier": {"type": "imported", "dtype": "string", "sensitive": False},
    },
    "personalizations": {
        "home": {
            "sections": {
                "Hello again": {
                    "when": "visits > 2",
                    "payload": {"attributes": {"n": "visits", "tier": "tier"}},
                }
            }
        }
    },
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config, a history and batch rows."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.json").write_text(json.dumps(CONFIG))
    history = [
        {"cookie": f"c{number % 3}", "customer": f"u{number % 3}", "time": number} for number in range(8)
    ]
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(event) + "\n" for event in history))
    (tmp_path / "next.jsonl").write_text('{"cookie": "c0", "time": 20}\n{"cookie": "c9", "time": 21}\n')
    (tmp_path / "rows.csv").write_text("customer,tier\nu0,gold\n")
    return tmp_path


def test_a_warm_start(run: Run, shop: Path) -> None:
    """What `process` and `simulate` answer after the history is what they answer from its snapshot."""
    made = run("snapshot", "shop.json", "history.jsonl", "--batch", "rows.csv", "--out", "shop.state")
    size = (shop / "shop.state").stat().st_size
    assert (made.code, made.out, made.err) == (0, f"shop.state: {size:,} bytes after 8 events\n", "")
    answer = '{"offers":{"Hello again":{"attributes":{"n":4,"tier":"gold"},"batch_segments":null}}}\n'
    answered = run("process", "shop.json", "next.jsonl", "--state", "shop.state")
    assert (answered.code, answered.out, answered.err) == (0, answer + '{"offers":{}}\n', "")
    simulated = run("simulate", "shop.json", "next.jsonl", "--state", "shop.state", "--out", "-")
    assert json.loads(simulated.out)["attributes"] == '{"n":4,"tier":"gold"}'


def test_going_on_from_a_snapshot(run: Run, shop: Path) -> None:
    """Two halves of a history, one upon the other, are the whole, to the byte."""
    lines = (shop / "history.jsonl").read_text().splitlines(keepends=True)
    (shop / "one.jsonl").write_text("".join(lines[:4]))
    (shop / "two.jsonl").write_text("".join(lines[4:]))
    run("snapshot", "shop.json", "history.jsonl", "--out", "whole")
    run("snapshot", "shop.json", "one.jsonl", "--out", "half")
    assert run("snapshot", "shop.json", "two.jsonl", "--state", "half", "--out", "half").code == 0
    assert (shop / "half").read_bytes() == (shop / "whole").read_bytes()


def test_state_of_another_config_is_told(run: Run, shop: Path) -> None:
    """What starts anew, what is dropped and what is not complete is warned of."""
    run("snapshot", "shop.json", "history.jsonl", "--batch", "rows.csv", "--out", "shop.state")
    attributes = {
        "visits": {**CONFIG["attributes"]["visits"], "increment": "2"},  # type: ignore[index]
        "views": {"type": "counter", "on": "view", "window": "1d"},
    }
    other = {**CONFIG, "attributes": attributes, "personalizations": {}}
    (shop / "other.json").write_text(json.dumps(other))
    done = run("process", "other.json", "next.jsonl", "--state", "shop.state")
    assert done.err.splitlines() == [
        'warning: --state: "visits" starts anew: another increment, decimals',
        'warning: --state: "tier" is dropped: no longer in the config',
    ]


def test_inspect(run: Run, shop: Path) -> None:
    """Counts, bytes and rids; no identifier and no value."""
    run("snapshot", "shop.json", "history.jsonl", "--batch", "rows.csv", "--out", "shop.state")
    shown = run("inspect", "shop.state")
    assert shown.code == 0
    size = (shop / "shop.state").stat().st_size
    lines = shown.out.splitlines()
    assert lines[0] == f"shop.state: 3 profiles, {size:,} bytes"
    assert "  identifiers         cookie 3, customer 3" in lines
    assert "  batch rows          1" in lines
    assert "  newest event        1970-01-01T00:00:07.000Z" in lines
    assert "  oldest event        1970-01-01T00:00:00.000Z, 0 days 0 hours before" in lines
    assert "bytes, packed, by attribute" in lines
    assert "u0" not in shown.out
    assert "gold" not in shown.out
    found = json.loads(run("inspect", "shop.state", "--format", "json").out)
    assert found["identifiers"] == {"cookie": 3, "customer": 3}
    assert found["counts"]["events"] == {"web": 8}
    assert len(found["largest"]) == 3
    assert found["most_merged"] == []
    assert sum(found["bytes_by_attribute"].values()) == found["bytes_by_kind"]["counter"]


@pytest.mark.parametrize("command", ["inspect", "process"])
def test_what_is_no_snapshot(run: Run, shop: Path, command: str) -> None:
    """Exit code 2, the file and the byte."""
    arguments = ["shop.json", "next.jsonl", "--state", "rows.csv"] if command == "process" else ["rows.csv"]
    done = run(command, *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err == ("error: rows.csv: expected a whole snapshot, got a file of another kind, at byte 0\n")


def test_a_bad_row_under_strict_writes_nothing(run: Run, shop: Path) -> None:
    """Without `--strict` it is warned of, and the rest is in the snapshot."""
    (shop / "bad.jsonl").write_text('{"cookie": "c0", "time": "soon"}\n{"cookie": "c1", "time": 1}\n')
    done = run("snapshot", "shop.json", "bad.jsonl", "--out", "bad.state", "--strict")
    assert done.code == 1
    assert not (shop / "bad.state").exists()
    done = run("snapshot", "shop.json", "bad.jsonl", "--out", "bad.state")
    assert done.code == 0
    assert "1 bad row" in done.err
    done = run("snapshot", "shop.json", "bad.jsonl", "--out", "nowhere/bad.state")
    assert (done.code, done.err) == (2, "error: nowhere/bad.state: there is no such folder\n")
