"""`reactor schema` and `reactor source`: text on stdout, and nothing else."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from commandline import Run

from reactor import Reactor
from reactor.spec import config_schema


def test_schema(run: Run) -> None:
    done = run("schema")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == config_schema()


def test_source(run: Run, config: Path) -> None:
    """Python that parses, without any text of the config."""
    config.write_text(config.read_text().replace("views >= 2", "name = 'us3r text'"))
    done = run("source", config)
    assert (done.code, done.err) == (0, "")
    assert done.out == Reactor(config).source().rstrip("\n") + "\n"
    ast.parse(done.out)
    assert "us3r" not in done.out
