"""The command line: one file a command. `app` picks the command and sets the exit code."""

from __future__ import annotations

from reactor.cli.app import main

__all__ = ("main",)
