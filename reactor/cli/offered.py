"""What was offered to whom: the summary that `reactor simulate` prints."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reactor.cli.console import count_of, on_terminal, printable
from reactor.spec import Config

if TYPE_CHECKING:
    import polars as pl

# Columns where there is no terminal to ask for its width.
WIDTH = 100
MOST_EXAMPLES = 12
GAP = " " * 3  # between two columns of a table


def show(config: Config, summary: Mapping[str, Any], firsts: pl.DataFrame, stream: TextIO) -> None:
    """Print the summary of a replay to a stream; firsts: the first offer of each section."""
    print_to(stream, lambda console: _print(console, config, summary, firsts))


def print_to(stream: TextIO, fill: Callable[[Console], None]) -> None:
    """Print what `fill` prints to a console to a stream, in the stream's width."""
    width = None if on_terminal(stream) or "COLUMNS" in os.environ else WIDTH
    console = Console(file=stream, width=width, highlight=False)
    with console.capture() as captured:
        fill(console)
    # Tables are filled up with blanks, which only a terminal hides.
    stream.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _print(console: Console, config: Config, summary: Mapping[str, Any], firsts: pl.DataFrame) -> None:
    console.print(_headline(summary))
    for note in _notes(summary):
        console.print(note)
    console.print()
    console.print(_sections(summary))
    examples = list(_examples(config, firsts))
    if examples:
        console.print()
        console.print(_example_table(examples, console.width))


def _headline(summary: Mapping[str, Any]) -> Text:
    text = Text(printable(summary["config"]), style="bold")
    facts = [count_of(summary["events"], "event")]
    if summary["first"]:
        facts.append(f"{summary['first'][:10]} to {summary['last'][:10]}")
    facts += [count_of(summary["profiles"], "profile"), f"answered for a {summary['audience']} audience"]
    text.append(f": {', '.join(facts)}", style="not bold")
    return text


def _sections(summary: Mapping[str, Any]) -> Table:
    table = bare_table()
    redacted = f"{count_of(summary['redacted'], 'offer')} redacted" if summary["redacted"] else ""
    table.add_column("Section", footer="All sections", overflow="fold")
    table.add_column("Offers", footer=f"{summary['offers']:,}", justify="right")
    table.add_column("Profiles", footer=f"of {summary['profiles']:,}", justify="right")
    table.add_column("Reach", justify="right")
    table.add_column("Answered with", footer=redacted)
    before = None
    for each in summary["sections"]:
        if each["personalization"] != before:
            before = each["personalization"]
            table.add_row(Text(printable(before), style="bold"))
        table.add_row(*_section_cells(each, summary["profiles"]), style="" if each["offers"] else "dim")
    return table


def bare_table() -> Table:
    """Return a table without edges, to be filled."""
    return Table(box=box.SIMPLE, show_edge=False, pad_edge=False, show_footer=True, header_style="bold")


def _section_cells(section: Mapping[str, Any], all_profiles: int) -> Iterator[Text | str]:
    offers, profiles = section["offers"], section["profiles"]
    yield Text(f"  {printable(section['section'])}")
    yield f"{offers:,}"
    yield f"{profiles:,}"
    yield _share(profiles, all_profiles)
    if section["redacted"]:
        yield Text("{}, redacted", style="yellow")
    else:
        yield "its payload" if offers else "never offered"


def _share(part: int, whole: int) -> str:
    share = part / whole if whole else 0
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def _notes(summary: Mapping[str, Any]) -> Iterator[Text]:
    events = summary["events"]
    if summary["before_since"]:
        yield Text(f"{count_of(summary['before_since'], 'event')} before --since built state only")
    if summary["left_out"]:
        yield Text(f"{count_of(summary['left_out'], 'row')} left out by --until or --limit")
    if summary["batch"]:
        yield Text(f"{count_of(summary['batch']['rows'], 'batch row')} imported")
    if summary["without_identifier"]:
        share = (
            f"{summary['without_identifier']:,} of {count_of(events, 'event')} without a usable identifier"
        )
        yield Text(share, style="bold red" if summary["without_identifier"] * 2 > events else "")
    if summary["rejected"]:
        yield Text(f"{count_of(summary['rejected'], 'bad row')} of {summary['rows']:,}", style="yellow")


def _examples(config: Config, firsts: pl.DataFrame) -> Iterator[tuple[str, ...]]:
    """Yield the first offer of each section; a payload that reads something sensitive stays unseen."""
    sensitive = {section.name for section in config.sections if section.sensitive}
    for offer in firsts.head(MOST_EXAMPLES).iter_rows(named=True):
        payload = "(sensitive: not shown)" if offer["section"] in sensitive else _payload(offer["attributes"])
        time = f"{offer['time']:%Y-%m-%d %H:%M}"
        # The last digits: the first are the time, alike for profiles of one morning.
        yield printable(offer["section"]), time, (offer["rid"] or "none")[-8:], payload


def _example_table(examples: Sequence[tuple[str, ...]], width: int) -> Table:
    table = bare_table()
    table.show_footer = False
    titles = ("First offer of", "at (UTC)", "to profile …", "with")
    widths = [max(cell_len(row[place]) for row in [titles, *examples]) for place in range(3)]
    for title, least in zip(titles[:3], widths, strict=True):
        table.add_column(title, min_width=least, no_wrap=True)
    rest = max(width - sum(widths) - 3 * len(GAP), 20)
    table.add_column(titles[3], max_width=rest, no_wrap=True, overflow="ellipsis")
    for row in examples:
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in row))
    return table


def _payload(attributes: str | None) -> str:
    values: dict[str, object] = json.loads(attributes or "{}")
    return printable(", ".join(f"{name}: {_value(value)}" for name, value in values.items()))


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
