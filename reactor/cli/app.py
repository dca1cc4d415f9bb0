"""The `reactor` command: which subcommand runs, and what its end means to the shell."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Final

from reactor.cli import (
    check,
    compare,
    explain,
    init,
    inspect,
    journal,
    process,
    schema,
    serve,
    simulate,
    snapshot,
    source,
    test,
)
from reactor.cli.console import DONE, FAILED, INTERRUPTED, CommandError, complain
from reactor.errors import ConfigError, ReactorError
from reactor.testing.files import TestFileError

COMMANDS: Final[dict[str, ModuleType]] = {
    "init": init,
    "check": check,
    "test": test,
    "process": process,
    "explain": explain,
    "simulate": simulate,
    "compare": compare,
    "serve": serve,
    "journal": journal,
    "snapshot": snapshot,
    "inspect": inspect,
    "schema": schema,
    "source": source,
}
EXITS: Final = (
    "exit codes: 0 done, 1 ran and found something, 2 could not run, 130 interrupted\n"
    "results go to stdout; progress, warnings and errors to stderr"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    arguments: without the program's name; None takes those of the process.
    """
    _prepare_streams()
    try:
        parsed = parser().parse_args(arguments)
        code = COMMANDS[parsed.command].run(parsed)
        sys.stdout.flush()
    except ReactorError as error:
        for reason in _reasons(error):
            complain(reason)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # stdout's reader has seen enough, as in `reactor simulate … --out - | head`.
        _close_stdout()
        return DONE
    except OSError as error:
        complain(f"can't be written: {error.strerror}")
        _close_stdout()
        return FAILED
    return int(code)


def parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="reactor",
        description="One customer event in, the right offers out: check, test, run and replay a config.",
        epilog=f"example: reactor init shop\n\n{EXITS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"reactor {_version()}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=f"{module.SUMMARY[0].upper()}{module.SUMMARY[1:]}.",
            epilog=f"example: {module.EXAMPLE}\n\n{EXITS}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(command)
    return top


def _reasons(error: ReactorError) -> tuple[str, ...]:
    if isinstance(error, CommandError):
        return error.reasons
    if isinstance(error, ConfigError | TestFileError):
        return tuple(map(str, error.problems))
    return (str(error),)


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("reactor-engine")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _prepare_streams() -> None:
    """Let a character that the terminal's encoding lacks be shown as an escape, not end the run."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _close_stdout() -> None:
    # Python flushes stdout once more at exit, which must not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
