"""Replay: stored events in, tables of offers, attributes and profiles out.

`simulate` and `compare` serve Python, `Replay` whatever wants to show progress and choose its tables:
`Replay(config, events, options(...), batch=...).run(attributes=True, progress=...)`. Both need the
`replay` extra; importing this package does not.
"""

from typing import TYPE_CHECKING, Any

from reactor.frames import need
from reactor.replay.funnel import funnel, funnel_of
from reactor.replay.options import BadRowError, Options, Results, options
from reactor.replay.run import Replay, Run
from reactor.replay.simulating import simulate

if TYPE_CHECKING:
    from reactor.replay.comparison import Comparison, compare

__all__ = [
    "BadRowError",
    "Comparison",
    "Options",
    "Replay",
    "Results",
    "Run",
    "compare",
    "funnel",
    "funnel_of",
    "options",
    "simulate",
]


def __getattr__(name: str) -> Any:
    # These modules import polars at once.
    if name in ("Comparison", "compare"):
        need("polars", "a comparison")
        from reactor.replay import comparison

        return getattr(comparison, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
