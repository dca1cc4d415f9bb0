"""`reactor check`: everything that is wrong with a config, or what it says."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence

import msgspec

from reactor.cli.console import DONE, FOUND, count_of, paint, say
from reactor.cli.evidence import problems_with_events
from reactor.cli.inputs import HELP
from reactor.cli.loading import load, require_file
from reactor.cli.summary import Summary, summarize, summary_lines
from reactor.errors import ConfigError, Problem
from reactor.spec import Config

SUMMARY = "find everything that is wrong with a config, or say what it holds"
EXAMPLE = "reactor check reactor.yaml --events orders.csv.gz --strict"


class Finding(msgspec.Struct, frozen=True):
    """What was found out about one config; `summary` is None where there are problems."""

    file: str
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    summary: Summary | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("configs", metavar="CONFIG", nargs="+", help="configs: .yaml, .toml or .json files")
    parser.add_argument("--events", metavar="[TABLE=]FILE", nargs="+", default=[], help=HELP)
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        default="text",
        help="text for a person (default), json, or github: annotations of a workflow run",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check every config and print what was found."""
    for path in arguments.configs:
        require_file(path)
    findings = [_check(path, arguments.events) for path in arguments.configs]
    say(*FORMATS[arguments.format](findings))
    found = any(finding.problems or (arguments.strict and finding.warnings) for finding in findings)
    return FOUND if found else DONE


def _check(path: str, events: Sequence[str]) -> Finding:
    try:
        config = load(path)
    except ConfigError as error:
        return Finding(path, error.problems, (), None)
    return Finding(path, (), _warnings(config, path, events), summarize(config))


def _warnings(config: Config, path: str, events: Sequence[str]) -> tuple[Problem, ...]:
    seen = problems_with_events(config, path, events) if events else ()
    return (*config.warnings, *seen)


def _text(findings: Sequence[Finding]) -> list[str]:
    lines: list[str] = []
    for finding in findings:
        if lines:
            lines.append("")
        lines.append(_headline(finding))
        lines.extend(f"{paint('problem', 'red')} {_placed(problem, finding)}" for problem in finding.problems)
        lines.extend(
            f"{paint('warning', 'yellow')} {_placed(problem, finding)}" for problem in finding.warnings
        )
        if finding.summary is not None:
            lines.extend(summary_lines(finding.summary))
    return lines


def _headline(finding: Finding) -> str:
    if finding.problems:
        return paint(f"{finding.file}: {count_of(len(finding.problems), 'problem')}", "bold")
    assert finding.summary is not None
    warnings = f", {count_of(len(finding.warnings), 'warning')}" if finding.warnings else ""
    return paint(f"{finding.file}: {finding.summary.name}, no problems{warnings}", "bold")


def _placed(problem: Problem, finding: Finding) -> str:
    placed = msgspec.structs.replace(problem, file=problem.file or finding.file)
    return str(placed).replace("\n", "\n    ")


def _json(findings: Sequence[Finding]) -> list[str]:
    return [json.dumps(msgspec.to_builtins(findings), indent=2, ensure_ascii=False)]


def _github(findings: Sequence[Finding]) -> list[str]:
    lines: list[str] = []
    for finding in findings:
        lines.extend(_annotation("error", problem, finding.file) for problem in finding.problems)
        lines.extend(_annotation("warning", problem, finding.file) for problem in finding.warnings)
    return lines


def _annotation(level: str, problem: Problem, file: str) -> str:
    places = {
        "file": problem.file or file,
        "line": problem.line,
        "col": problem.column,
        "title": problem.path,
    }
    properties = ",".join(
        f"{name}={_escaped(str(value), ':,')}" for name, value in places.items() if value is not None
    )
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"::{level} {properties}::{_escaped(problem.message + hint)}"


def _escaped(text: str, more: str = "") -> str:
    """Escape what ends or separates the parts of a workflow command."""
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


FORMATS: dict[str, Callable[[Sequence[Finding]], list[str]]] = {
    "text": _text,
    "json": _json,
    "github": _github,
}
