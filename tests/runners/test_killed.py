"""What replays is killed while it replays: the tables stay those of one machine.

An executor is killed by hand: `python tests/runners/killed.py executor`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")  # pyspark's own, at every call


def test_python_workers(slow: None, spark: Any, tmp_path: Path) -> None:
    """In the middle of the replays, and when their outcome lies on disk."""
    from .killed import survived

    said: list[str] = []
    assert survived(spark, "worker", tmp_path, said.append), said
