"""A replay in a process of its own: prints what it cost and a digest of what it wrote.

    python benchmarks/replay.py columnar FOLDER
    python benchmarks/replay.py columnar FOLDER CONFIG LINES.csv.gz

FOLDER holds `web.pageviews.parquet` and `web.orders.parquet`, as `test_replay.py` writes them; with a
config and a file of its one table, these are replayed, and FOLDER is where offers are written.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from reactor.replay import Replay, options
from reactor.testing.workloads import ORDERS, PAGES, batch_rows, retail_config


def main(engine: str, folder: Path, config: str | None = None, lines: str = "") -> dict[str, Any]:
    """Replay, write the offers, and return CPU times in seconds, peak memory in MB and the digest."""
    out = folder / f"offers-{engine}.parquet"
    begun = time.process_time()
    if config is None:
        events = {table: folder / f"{table}.parquet" for table in (PAGES, ORDERS)}
        replay = Replay(dict(retail_config()), events, options(engine=engine), batch=batch_rows())
    else:
        replay = Replay(config, lines, options(engine=engine))
    read = time.process_time()
    results = replay.run(id_changes=False)
    done = time.process_time()
    results.offers.write_parquet(out)
    written = time.process_time()
    return {
        "read": read - begun,
        "run": done - read,
        "write": written - done,
        "total": written - begun,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "events": len(replay),
        "offers": results.offers.height,
        "fallback": (results.summary["fallback"] or {}).get("events"),
        "digest": hashlib.blake2b(out.read_bytes(), digest_size=8).hexdigest(),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])))
