"""From the declared model to functions: slots, one update per table, sections, reads.

Everything that can be decided from the config is decided here, once. What is left to do for
an event is straight-line code over a row.
"""

from reactor.plan.build import OTHER_TABLE, Bindings, Event, Handler, Plan, WatchHandler
from reactor.plan.layout import Layout
from reactor.plan.reads import PartInfo, PartType, parts_of
from reactor.plan.sections import NOBODY, PRIVATE, PUBLIC, refs_of
from reactor.plan.size import profile_bytes
from reactor.plan.table import CLAMPED, LATE

__all__ = (
    "CLAMPED",
    "LATE",
    "NOBODY",
    "OTHER_TABLE",
    "PRIVATE",
    "PUBLIC",
    "Bindings",
    "Event",
    "Handler",
    "Layout",
    "PartInfo",
    "PartType",
    "Plan",
    "WatchHandler",
    "parts_of",
    "profile_bytes",
    "refs_of",
)
