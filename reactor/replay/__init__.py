"""Replay: stored events in, tables of offers, attributes and profiles out.

`simulate` serves Python, `Replay` whatever wants to show progress and choose its tables:
`Replay(config, events, options(...), batch=...).run(attributes=True, progress=...)`. Both need the
`replay` extra; importing this package does not.
"""

from reactor.replay.options import BadRowError, Options, Results, options
from reactor.replay.run import Replay, Run, simulate

__all__ = ["BadRowError", "Options", "Replay", "Results", "Run", "options", "simulate"]
