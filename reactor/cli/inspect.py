"""`reactor inspect`: what a snapshot holds, what costs room, what is over-stitched."""

from __future__ import annotations

import argparse

import msgspec

from reactor.cli.console import DONE, aligned, count_of, paint, printable, say
from reactor.state import Inspection, ProfileSize, inspect
from reactor.units import DAY_MS, format_time

SUMMARY = "look into a snapshot: profiles, identifiers, bytes, drops; no values"
EXAMPLE = "reactor inspect shop.state"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("snapshot", metavar="SNAPSHOT", help="a file that `snapshot` wrote")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="for a person (default), or as JSON"
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the snapshot, and print what is in it."""
    found = inspect(arguments.snapshot)
    if arguments.format == "json":
        say(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        say(*_lines(arguments.snapshot, found))
    return DONE


def _lines(path: str, found: Inspection) -> list[str]:
    lines = [
        paint(f"{path}: {count_of(found.profiles, 'profile')}, {count_of(found.file_bytes, 'byte')}", "bold"),
        *aligned(
            [
                ("config", f"{printable(found.name)}, {found.fingerprint}"),
                ("identifiers", _numbers(found.identifiers)),
                ("merged away", f"{found.merged:,}"),
                ("batch rows", f"{found.imported_rows:,}"),
                *_times(found),
            ]
        ),
        "bytes, packed, by kind",
        *_table(found.bytes_by_kind),
        "bytes, packed, by attribute",
        *_table(found.bytes_by_attribute),
    ]
    for title, profiles in ("largest profiles", found.largest), ("most merged profiles", found.most_merged):
        if profiles:
            lines += [title, *aligned([_row(each) for each in profiles])]
    return [*lines, "dropped", *_table(_drops(found))]


def _times(found: Inspection) -> list[tuple[str, str]]:
    if found.oldest_ms is None or found.newest_ms is None or found.idle_ms is None:
        return []
    newest = found.newest_ms

    def aged(time_ms: int) -> str:
        days, rest = divmod(newest - time_ms, DAY_MS)
        return f"{format_time(time_ms)}, {days} days {rest // 3_600_000} hours before"

    return [
        ("newest event", format_time(newest)),
        ("oldest event", aged(found.oldest_ms)),
        ("longest idle since", aged(found.idle_ms)),
    ]


def _numbers(numbers: dict[str, int]) -> str:
    return ", ".join(f"{printable(name)} {number:,}" for name, number in numbers.items()) or "none"


def _table(numbers: dict[str, int]) -> list[str]:
    ranked = sorted(numbers.items(), key=lambda entry: -entry[1])
    return aligned([(printable(name), f"{number:,}") for name, number in ranked if number]) or ["  none"]


def _row(profile: ProfileSize) -> tuple[str, ...]:
    return (
        profile.rid,
        count_of(profile.bytes, "byte"),
        count_of(profile.identifiers, "identifier"),
        f"{profile.merged:,} merged",
    )


def _drops(found: Inspection) -> dict[str, int]:
    """Return what did not stay, by reason."""
    counts = found.counts
    drops = {name: counts.get(name, 0) for name in ("refused", "clamped", "late")}
    for reason in "unusable", "dropped":
        text = "unusable in" if reason == "unusable" else "beyond capacity of"
        drops.update((f"{text} {name}", number) for name, number in counts.get(reason, {}).items())
    for name, number in counts.get("stitched", {}).items():
        if isinstance(number, int) and name.startswith("evicted"):
            drops[name.replace("_", " ")] = number
    return drops
