"""A process that replays buckets: `python -m reactor.replay.worker FOLDER`.

It reads numbers of buckets from its input, one a line, and answers each by a line when the bucket's
results lie in the folder. It ends with its input.
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from reactor.errors import ReactorError
from reactor.replay.bucket import Bucket, opened, replay_part
from reactor.replay.options import Options, Results
from reactor.replay.parts import write_part
from reactor.spec import Config

JOB: Final = "job.pickle"


def write_job(folder: Path, config: Config, chosen: Options) -> None:
    """Write what is the same for all buckets."""
    (folder / JOB).write_bytes(pickle.dumps((config, chosen)))


def write_bucket(folder: Path, number: int, bucket: Bucket, asked: dict[str, Any]) -> None:
    """Write what a bucket holds, and which tables are asked for."""
    _path(folder, "bucket", number).write_bytes(pickle.dumps((bucket, asked)))


def read_answer(folder: Path, number: int) -> tuple[dict[str, Path], Results]:
    """Return the paths of a bucket's tables, and its results without them but for the first offers."""
    tables = {name: _path(folder, name, number) for name in _tables()}
    firsts, rejects = (pl.read_ipc(_path(folder, name, number)) for name in ("firsts", "rejects"))
    summary = msgspec.json.decode(_path(folder, "summary", number).read_bytes())
    results = Results(firsts, firsts, rejects, None, None, None, summary)
    return {name: path for name, path in tables.items() if path.exists()}, results


def main() -> None:
    """Answer until the input ends."""
    folder = Path(sys.argv[1])
    # What anyone prints goes to stderr: stdout is for answers.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        config, chosen = pickle.loads((folder / JOB).read_bytes())
        for line in sys.stdin.buffer:
            answer: dict[str, str] = {}
            try:
                replay_bucket(folder, int(line), config, chosen)
            except ReactorError as error:
                answer["error"] = str(error)
            answers.write(msgspec.json.encode(answer) + b"\n")
            answers.flush()


def replay_bucket(folder: Path, number: int, config: Config, chosen: Options) -> None:
    """Replay a bucket, and leave its results in the folder."""
    bucket, asked = pickle.loads(_path(folder, "bucket", number).read_bytes())
    part, numbers = opened(bucket, config.limits.event_bytes)
    results = replay_part(config, part, numbers, chosen, bucket.batch, **asked)
    for name in _tables():
        frame, path = getattr(results, name), _path(folder, name, number)
        path.unlink(missing_ok=True)
        if frame is not None:
            write_part(frame, path)
    results.firsts.write_ipc(_path(folder, "firsts", number))
    results.rejects.write_ipc(_path(folder, "rejects", number))
    _path(folder, "summary", number).write_bytes(msgspec.json.encode(results.summary))


def _tables() -> list[str]:
    return [name for name in Results.__struct_fields__ if name not in ("rejects", "summary")]


def _path(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name}-{number}.{'ipc' if name not in ('bucket', 'summary') else 'bin'}"


if __name__ == "__main__":
    main()
