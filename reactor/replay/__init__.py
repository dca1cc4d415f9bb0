"""Replay: stored events in, tables of offers, attributes and profiles out.

`simulate` serves Python, `Replay` whatever wants to show progress and choose its tables. Both
need the `replay` extra; importing this package does not.
"""

from reactor.replay.options import Options, Results
from reactor.replay.run import Replay, Run, simulate

__all__ = ["Options", "Replay", "Results", "Run", "simulate"]
