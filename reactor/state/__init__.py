"""The state of an engine: profiles, batch rows, counts; and how batch rows get in."""

from reactor.state.batch import BatchReport
from reactor.state.state import State

__all__ = ("BatchReport", "State")
