"""What a replay of a long history takes: wall clock, CPU time and memory of all its processes.

    python benchmarks/histories.py retail FOLDER --events 1000000
    python benchmarks/histories.py retail FOLDER --events 4000000 -- --memory 1GB
    python benchmarks/histories.py retail FOLDER --events 1000000 -- --workers 2
    python benchmarks/histories.py files FOLDER CONFIG FILE… -- --workers 2

It runs `reactor simulate … --out`, in turn without and with what follows `--`, and prints a line for
each; the offers must be the same bytes. The events of `retail-v1` are written to FOLDER once, as
parquet, a file a table. Memory is the greatest sum over the command's processes, shared pages counted
once, as looked at ten times a second; Linux only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from reactor.testing.workloads import ORDERS, PAGES, batch_rows, retail_config, retail_stream

CHUNK = 200_000  # events that are held at once while they are written


def main() -> None:
    """Measure what is asked for."""
    given = sys.argv[1:]
    place = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("retail", "files"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", action="store_true", help="leave out the run without further options")
    asked = parser.parse_args(given[:place])
    asked.folder.mkdir(parents=True, exist_ok=True)
    history = retail(asked.folder, asked.events) if asked.what == "retail" else asked.files
    for number in range(asked.rounds):
        runs: list[list[str]] = [] if asked.only else [[]]
        found = [
            measured(history, more, asked.folder) for more in [*runs, given[place + 1 :]] if more or runs
        ]
        assert len({each["digest"] for each in found}) == 1
        for each in found:
            print(json.dumps({"round": number, **each}), flush=True)


def retail(folder: Path, events: int) -> list[str]:
    """Write the first events of `retail-v1`, unless they are there; return the command's arguments."""
    home = folder / f"retail-{events}"
    files = [home / f"{table}.parquet" for table in (PAGES, ORDERS)]
    config, batch = home / "reactor.json", home / "batch.jsonl"
    if not batch.exists():
        home.mkdir(exist_ok=True)
        _write_events(home, events)
        config.write_text(json.dumps(retail_config()))
        batch.write_text("".join(json.dumps(row) + "\n" for row in batch_rows()))
    named = [f"{table}={file}" for table, file in zip((PAGES, ORDERS), files, strict=True)]
    return [str(config), *named, "--batch", str(batch)]


def _write_events(home: Path, events: int) -> None:
    columns: dict[str, dict[str, Any]] = {}
    parts: dict[str, list[Path]] = {PAGES: [], ORDERS: []}
    stream = islice(retail_stream(), events)
    while some := list(islice(stream, CHUNK)):
        for table, files in parts.items():
            rows = [event for name, event in some if name == table]
            if table not in columns:
                names = sorted({name for row in rows for name in row})
                frame = pl.DataFrame({name: [row.get(name) for row in rows] for name in names})
                columns[table] = dict(frame.schema)
            schema = columns[table]
            series = [
                pl.Series(name, [row.get(name) for row in rows], dtype) for name, dtype in schema.items()
            ]
            files.append(home / f"{table}-{len(files)}.ipc")
            pl.DataFrame(series).write_ipc(files[-1])
    for table, files in parts.items():
        pl.scan_ipc(files).sink_parquet(home / f"{table}.parquet")
        for file in files:
            file.unlink()


def measured(history: Sequence[str], more: Sequence[str], folder: Path) -> dict[str, Any]:
    """Run the command; return its times in s, the peak in MB, and the digest of its offers."""
    out, summary = folder / "offers.parquet", folder / "summary.json"
    command = [sys.executable, "-m", "reactor.cli", "simulate", *history, *more]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--out", str(out), "--summary", str(summary)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(map(_held, _family(process.pid))))
        time.sleep(0.1)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0
    counts = json.loads(summary.read_text())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "options": " ".join(more),
        "events": counts["events"],
        "wall": round(wall, 2),
        "cpu": round(cpu, 2),
        "cpu_us": round(cpu / max(counts["events"], 1) * 1e6, 2),
        "peak_mb": peak // 1_000_000,
        "offers": counts["offers"],
        "fallback": (counts["fallback"] or {}).get("events"),
        "load": os.getloadavg()[0],
        "digest": hashlib.blake2b(out.read_bytes(), digest_size=8).hexdigest(),
    }


def _family(process: int) -> list[int]:
    """Return a process and all that it has started."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
    return [process, *(each for child in children for each in _family(int(child)))]


def _held(process: int) -> int:
    """Return the bytes that a process holds; of what it shares, its share."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main()
