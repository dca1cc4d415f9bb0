"""The command line, run in this process."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from commandline import CONFIG, Done, Run

from reactor.cli import main


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line: `run("check", path)`, with `stdin=` as bytes."""

    def run_command(*arguments: str | Path, stdin: bytes = b"") -> Done:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
        with monkeypatch.context() as patch:
            patch.delenv("COLUMNS", raising=False)  # which pytest's workers set
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 2
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
        return Done(code, *texts)

    return run_command


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write a config of one table and two sections, one of them redacted for the public."""
    path = tmp_path / "shop.yaml"
    path.write_text(CONFIG)
    return path
