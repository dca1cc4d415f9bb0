"""Which names are allowed."""

from __future__ import annotations

import re
from typing import Final

from reactor.spec.node import Path, quoted
from reactor.spec.report import Report

FUNCTIONS: Final = frozenset(
    {"regexp_like", "starts_with", "lower", "upper", "trim", "length", "contains", "cardinality"}
    | {"coalesce", "nullif", "greatest", "least", "abs", "round", "cast", "try_cast"}
)
RESERVED: Final = frozenset({"event", "before", "now", "segment", "item", "rid", "time"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NOT_NAME = re.compile(r"[^A-Za-z0-9_]+", re.ASCII)


def check_name(report: Report, path: Path, what: str, most: int) -> bool:
    """Check the name at the end of `path`, of an attribute, a part or a key event."""
    name = str(path[-1])
    if not _NAME.fullmatch(name):
        message = f"expected a name of letters, digits and _ for {what}, got {quoted(name)}"
        report.error(path, message, _proposal(name), key=True)
        return False
    return check_reserved(report, path, what) and check_length(report, path, what, most)


def check_reserved(report: Report, path: Path, what: str) -> bool:
    """Check that the name at the end of `path` is no reserved word."""
    name = str(path[-1])
    if name not in RESERVED and name.lower() not in FUNCTIONS:
        return True
    use = "a function" if name not in RESERVED else "a word of criteria"
    report.error(path, f"expected another name for {what}: {quoted(name)} is {use}", key=True)
    return False


def check_length(report: Report, path: Path, what: str, most: int) -> bool:
    """Check that the name at the end of `path` has from 1 to `most` characters."""
    name = str(path[-1])
    if 0 < len(name) <= most:
        return True
    got = f"got {len(name)} characters" if name else "got an empty one"
    report.error(path, f"expected a name of 1 to {most} characters for {what}, {got}", key=True)
    return False


def _proposal(name: str) -> str:
    proposed = _NOT_NAME.sub("_", name).strip("_")
    if not proposed or len(name) > 100:
        return ""
    proposed = f"_{proposed}" if proposed[0].isdigit() else proposed
    return f"write {quoted(proposed)}"
