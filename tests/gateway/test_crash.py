"""A few of the kills that `crash.py` makes by the hundred."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_nothing_acknowledged_is_lost() -> None:
    """Runs apart: it forks, which a process with threads should not."""
    script = Path(__file__).with_name("crash.py")
    done = subprocess.run(
        [sys.executable, str(script), "5", "3"], capture_output=True, text=True, check=False, timeout=120
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("seed 3: 5 kills, ")
    assert ", 0 events acknowledged" not in done.stdout
