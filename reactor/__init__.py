"""In-memory engine for real-time personalization: identity, windows, criteria and offers on one clock.

An event goes in; the identifiers in it are stitched into one profile, the profile's
attributes change, compiled criteria decide, and the matching offers come back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reactor.engine import ProfileView, Reactor
from reactor.errors import ConfigError, EventError, Problem, ReactorError, SnapshotError
from reactor.explain import Explanation
from reactor.payload import Audience, Offer, Outcome
from reactor.spec import Config
from reactor.state import Change, Forgotten, ReloadReport

if TYPE_CHECKING:
    from reactor.replay import compare, simulate

__all__ = (
    "Audience",
    "Change",
    "Config",
    "ConfigError",
    "EventError",
    "Explanation",
    "Forgotten",
    "Offer",
    "Outcome",
    "Problem",
    "ProfileView",
    "Reactor",
    "ReactorError",
    "ReloadReport",
    "SnapshotError",
    "compare",
    "simulate",
)


def __getattr__(name: str) -> Any:
    # The replay brings numpy and polars: an embedder that only processes never pays for them.
    if name in ("compare", "simulate"):
        from reactor import replay

        return getattr(replay, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> tuple[str, ...]:
    return __all__
