"""The sizes of a run: small by default, so that every benchmark runs and checks its answers
within seconds and no time is judged; `REACTOR_BENCH=full` runs those that figures are quoted for.
"""

from __future__ import annotations

import os

FULL = os.environ.get("REACTOR_BENCH") == "full"
EVENTS = 200_000 if FULL else 4_000
ROUNDS = 9 if FULL else 1
