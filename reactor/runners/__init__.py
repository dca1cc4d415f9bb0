"""Runners: the same simulation where a history outgrows one machine. Each needs its own extra."""
