"""What a comparison shows to a person: what changed, section by section, and why, by examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reactor.cli.console import count_of, printable
from reactor.cli.offered import bare_table, print_to

if TYPE_CHECKING:
    from reactor.replay import Comparison

MOST_EXAMPLES: Final = 20  # lines of examples; more are in the report
GAP: Final = "   "


def show(comparison: Comparison, stream: TextIO) -> None:
    """Print the summary of a comparison to a stream."""
    print_to(stream, lambda console: _print(console, comparison))


def _print(console: Console, comparison: Comparison) -> None:
    summary = comparison.summary()
    console.print(_headline(summary))
    for note in _notes(summary):
        console.print(note)
    console.print()
    console.print(_sections(summary))
    lines = list(_examples(comparison))
    if lines:
        console.print()
        console.print(_example_table(lines[:MOST_EXAMPLES], console.width))
    if len(lines) > MOST_EXAMPLES:
        console.print(f"{len(lines) - MOST_EXAMPLES} more lines of examples: see --report")


def _headline(summary: Mapping[str, Any]) -> Text:
    a, b, offers = summary["a"], summary["b"], summary["offers"]
    names = a["config"] if a["config"] == b["config"] else f"{a['config']} and {b['config']}"
    text = Text(printable(names), style="bold")
    facts = [count_of(a["events"], "event")]
    if a["first"]:
        facts.append(f"{a['first'][:10]} to {a['last'][:10]}")
    facts.append(f"answered for a {summary['audience']} audience")
    text.append(f": {', '.join(facts)}\n", style="not bold")
    if summary["differs"]:
        changes = [
            f"{count_of(offers[name], 'offer')} {name}"
            for name in ("gained", "lost", "changed")
            if offers[name]
        ]
        text.append(
            f"{', '.join([*changes, count_of(offers['same'], 'offer') + ' the same'])}", style="not bold"
        )
    else:
        text.append("nothing differs", style="not bold")
    return text


def _notes(summary: Mapping[str, Any]) -> Iterator[Text]:
    a, b, identity = summary["a"], summary["b"], summary["identity"]
    for what in ("events", "profiles", "rejected"):
        if a[what] != b[what]:
            noun = {"rejected": "bad rows"}.get(what, what)
            yield Text(f"{noun}: {a[what]:,} in A, {b[what]:,} in B", style="yellow")
    for side in "ab":
        if identity[f"keys_only_in_{side}"]:
            keys = ", ".join(map(printable, identity[f"keys_only_in_{side}"]))
            yield Text(f"stitching keys of {side.upper()} only: {keys}", style="yellow")
    if identity["split"]:
        yield Text(f"{count_of(identity['split'], 'profile')} of A split into several in B", style="yellow")
    if identity["joined"]:
        yield Text(f"{count_of(identity['joined'], 'profile')} of B join several of A", style="yellow")


def _sections(summary: Mapping[str, Any]) -> Table:
    a, b, offers = summary["a"], summary["b"], summary["offers"]
    table = bare_table()
    table.add_column("Section", footer="All sections", overflow="fold")
    columns = {"Offers A": f"{a['offers']:,}", "B": f"{b['offers']:,}"}
    columns |= {name.capitalize(): f"{offers[name]:,}" for name in ("gained", "lost", "changed")}
    columns |= {"Profiles A": f"{a['reached']:,}", "B ": f"{b['reached']:,}"}
    columns |= {"Each A": _each(a["frequency"]), "B  ": _each(b["frequency"])}
    for title, footer in columns.items():
        table.add_column(title, footer=footer, justify="right")
    for row in summary["sections"]:
        name = printable(row["section"])
        if row["only_in"]:
            name += f" (only in {row['only_in'].upper()})"
        counts = [f"{row[column]:,}" for column in ("offers_a", "offers_b", "gained", "lost", "changed")]
        reach = [f"{row[column]:,}" for column in ("profiles_a", "profiles_b")]
        each = [_each(row[column]) for column in ("frequency_a", "frequency_b")]
        is_same = not row["gained"] + row["lost"] + row["changed"] and row["only_in"] is None
        table.add_row(Text(name), *counts, *reach, *each, style="dim" if is_same else "")
    return table


def _each(frequency: float | None) -> str:
    return "" if frequency is None else f"{frequency:.2f}"


def _examples(comparison: Comparison) -> Iterator[tuple[str, str, str, str]]:
    """Yield the lines of an example for each section and change.

    Values stay unseen, for those of a private audience may be sensitive.
    """
    firsts: dict[tuple[str, str], int] = {}
    for row in comparison.examples.iter_rows(named=True):
        if firsts.setdefault((row["section"], row["change"]), row["event"]) != row["event"]:
            continue
        rid = row["profile_b"] or row["profile_a"] or "none"
        yield (
            printable(f"{row['section']}: {row['change']}"),
            f"{row['event']:,}",
            rid[-8:],
            printable(_flip(row)),
        )


def _flip(row: Mapping[str, Any]) -> str:
    """Say what flipped in a line.

    >>> _flip({"clause": "when", "criterion_a": "x > 1", "truth_a": "false", "criterion_b": None,
    ...     "truth_b": None})
    'x > 1 is false in A, and not asked in B'
    """
    a, b = (_side(row, side) for side in "ab")
    if row["clause"] == "payload":
        return f"{row['criterion_b'] or row['criterion_a']} is another in the payload"
    if row["clause"] in ("section", "event"):
        return "; ".join(
            f"{row[f'criterion_{side}']}: {side.upper()}" for side in "ab" if row[f"criterion_{side}"]
        )
    if row["criterion_a"] == row["criterion_b"]:
        return f"{row['criterion_a']} is {row['truth_a']} in A, {row['truth_b']} in B"
    return f"{a}, and {b}" if None in (row["criterion_a"], row["criterion_b"]) else f"{a}, {b}"


def _side(row: Mapping[str, Any], side: str) -> str:
    if row[f"criterion_{side}"] is None:
        return f"not asked in {side.upper()}"
    return f"{row[f'criterion_{side}']} is {row[f'truth_{side}']} in {side.upper()}"


def _example_table(lines: Sequence[tuple[str, ...]], width: int) -> Table:
    table = bare_table()
    table.show_footer = False
    titles = ("Example", "event", "profile …", "because")
    widths = [max(cell_len(row[place]) for row in [titles, *lines]) for place in range(3)]
    for title, least in zip(titles[:3], widths, strict=True):
        table.add_column(title, min_width=least, no_wrap=True)
    rest = max(width - sum(widths) - 3 * len(GAP), 24)
    table.add_column(titles[3], max_width=rest, overflow="fold")
    for row in lines:
        table.add_row(*(Text(cell) for cell in row))
    return table
