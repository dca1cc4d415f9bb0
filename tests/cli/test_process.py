"""`reactor process`: one answer a line, whatever the line."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest
from commandline import Done, Run

from reactor import Reactor


def answers(done: Done) -> list[object]:
    """Return the lines of stdout, decoded."""
    assert (done.code, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def test_answers_each_line_in_its_place(run: Run, config: Path) -> None:
    lines = (
        b'{"id": "a", "time": 100}\r\n\n[1]\n{"id": "a"}\n{"id": "a", "time": 101}\n{"id": "a", "time": 102'
    )
    first, blank, array, timeless, second, cut = answers(run("process", config, stdin=lines))
    assert first == {"offers": {}}
    assert blank == {
        "error": {"path": "$", "reason": "expected a JSON object, got malformed JSON at line 1, column 1"}
    }
    assert array == {"error": {"path": "$", "reason": "expected an object, got a list"}}
    reason = "expected a time, got none, and no `now` was given"
    assert timeless == {"error": {"path": "time", "reason": reason}}
    assert second == {"offers": {"Hello": {"attributes": {"views": 2}, "batch_segments": None}}}
    assert set(cut) == {"error"}  # type: ignore[call-overload]


def test_lines_are_the_engines_answers(run: Run, config: Path) -> None:
    """The same bytes as `process_json` gives."""
    lines = [json.dumps({"id": str(n % 3), "name": "é", "time": n}).encode() for n in range(50)]
    engine = Reactor.load(config)
    expected = b"".join(engine.process_json(line) + b"\n" for line in lines)
    assert run("process", config, stdin=b"\n".join(lines)).out.encode() == expected


def test_audience(run: Run, config: Path) -> None:
    line = b'{"id": "a", "time": 1, "name": "Ada"}\n'
    assert answers(run("process", config, stdin=line)) == [{"offers": {"You": {}}}]
    offer = {"attributes": {"name": "Ada", "views": 1}, "batch_segments": None}
    assert answers(run("process", config, "--audience", "private", stdin=line)) == [
        {"offers": {"You": offer}}
    ]


def test_reads_a_file(run: Run, config: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"id": "a", "time": 1}\n')
    assert answers(run("process", config, path)) == [{"offers": {}}]
    assert run("process", config, tmp_path / "no.jsonl").code == 2


def test_now_is_the_reading_time(run: Run, config: Path) -> None:
    """An event without a time takes `now`; its window is read there."""
    lines = b'{"id": "a"}\n{"id": "a"}\n'
    assert answers(run("process", config, "--now", "2025-06-01T10:00:00Z", stdin=lines))[1] != {"offers": {}}
    # A week later the first two have left the window.
    late = b'{"id": "a", "time": 1748772000}\n{"id": "a", "time": 1748772001}\n'
    assert answers(run("process", config, "--now", "2025-06-10", stdin=late)) == [
        {"offers": {}},
        {"offers": {}},
    ]


def test_now_now_is_the_clock(run: Run, config: Path) -> None:
    recent = json.dumps({"id": "a", "time": int(time.time()) - 5}).encode()
    old = b'{"id": "b", "time": 1000000000}'
    lines = b"\n".join([recent, recent, old, old])
    got = answers(run("process", config, "--now", "now", stdin=lines))
    assert [answer["offers"].keys() for answer in got] == [set(), {"Hello"}, set(), set()]  # type: ignore[index]


@pytest.mark.parametrize("now", ["soon", "tomorrow 10:00", ""])
def test_a_now_that_is_no_time(run: Run, config: Path, now: str) -> None:
    done = run("process", config, "--now", now)
    assert (done.code, done.out) == (2, "")
    assert "argument --now: expected a time" in done.err


def test_a_line_that_is_too_long_is_not_kept(run: Run, config: Path) -> None:
    """Only as much of it is read as shows that it is too long; the next line is answered."""
    config.write_text(config.read_text() + "limits: {event: 1KB}\n")
    long = b'{"id": "a", "time": 1, "x": "' + b"x" * 5_000 + b'"}'
    fits = b'{"id": "a", "time": 1, "x": "' + b"x" * 969 + b'"}'
    assert len(fits) == 1_000
    got = answers(run("process", config, stdin=long + b"\n" + fits + b"\r\n" + fits + b" \n"))
    assert "error" in got[0]  # type: ignore[operator]
    assert got[1] == {"offers": {}}
    assert "error" in got[2]  # type: ignore[operator]


def test_no_value_of_a_line_is_shown(run: Run, config: Path) -> None:
    secret = "s3cr3t"
    lines = f'{{"id": "a", "time": "{secret}"}}\n"{secret}"\n{secret}\n'.encode()
    done = run("process", config, stdin=lines)
    assert len(answers(done)) == 3
    assert secret not in done.out


def test_a_table_is_needed_where_there_are_several(run: Run, config: Path) -> None:
    text = config.read_text().replace("{view: web.views}", "{view: web.views, order: web.orders}")
    config.write_text(text)
    done = run("process", config, stdin=b"{}\n")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: --table is needed: the config names web.views, web.orders\n"
    line = b'{"id": "a", "time": 1}\n'
    assert answers(run("process", config, "--table", "web.orders", stdin=line)) == [{"offers": {}}]


def test_a_table_the_config_does_not_name_is_warned_of(run: Run, config: Path) -> None:
    done = run("process", config, "--table", "web.view", stdin=b'{"id": "a", "time": 1}\n')
    assert (done.code, done.out) == (0, '{"offers":{}}\n')
    assert done.err == 'warning: the config has no table "web.view" (did you mean "web.views"?)\n'


def test_compressed_lines_and_other_files(run: Run, config: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "a", "time": 1}\n'))
    assert answers(run("process", config, path)) == [{"offers": {}}]
    path = tmp_path / "events.csv"
    path.write_text("id,time\na,1\n")
    done = run("process", config, path)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {path}: expected JSON lines; `reactor simulate` reads files of this kind\n"
