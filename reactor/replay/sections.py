"""The offers of one section, with a column for each output of its payload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import polars as pl

from reactor.replay.tables import PART_TYPES, TEXTS, TIME
from reactor.spec.model import Section

_OWN: Final = ("event", "table", "time", "rid", "profile", "redacted", "batch_segments")
_ISO: Final = "%Y-%m-%dT%H:%M:%S%.3fZ"


def section_frame(offers: pl.DataFrame, section: Section) -> pl.DataFrame:
    """Return the offers of a section: whose and when, then a column for each output of its payload.

    offers: the table of all offers. An output has its declared type; one without (an event's column,
    or a list's `first`, `last` and `distinct`) is JSON text. A redacted offer has nulls.
    `batch_segments`, the ids that the profile was in, is there if the section names segments.
    """
    mine = offers.filter(pl.col("section") == section.name)
    own = [name for name in _OWN if name != "batch_segments" or section.segments is not None]
    frame = mine.select(name for name in own if name != "batch_segments")
    payloads = [None if text is None else _decode(text) for text in mine["attributes"].to_list()]
    columns = []
    if section.segments is not None:
        held = [None if text is None else _ids(text) for text in mine["batch_segments"].to_list()]
        columns.append(pl.Series("batch_segments", held, dtype=TEXTS))
    for name, kind in _outputs(section).items():
        texts = [None if payload is None else payload.get(name) for payload in payloads]
        columns.append(_column(f"attributes.{name}" if name in _OWN else name, kind, texts))
    return frame.with_columns(columns)


def _outputs(section: Section) -> dict[str, str]:
    """Return the outputs of a section's payload and their types, in the order they are answered in."""
    return {
        **{name: expression.type for name, expression in section.attributes.items()},
        **dict.fromkeys(section.strings, "string"),
    }


def _column(name: str, kind: str, texts: Sequence[msgspec.Raw | None]) -> pl.Series:
    """Return JSON texts as a column of their type."""
    dtype = PART_TYPES.get(kind)
    if dtype is None:
        cells = [None if text is None else bytes(text).decode() for text in texts]
        return pl.Series(name, [None if cell == "null" else cell for cell in cells], dtype=pl.String)
    decode = _DECODERS[kind]
    values = [None if text is None else decode(text) for text in texts]
    if dtype != TIME:
        return pl.Series(name, values, dtype=dtype)
    # A year before 1 or after 9999 can't come: such an instant is NULL in criteria.
    written = pl.Series(name, values, dtype=pl.String)
    return written.str.to_datetime(_ISO, time_unit="ms", time_zone="UTC")


_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_DECODERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string": msgspec.json.Decoder(str | None).decode,
    "number": msgspec.json.Decoder(float | None).decode,
    "boolean": msgspec.json.Decoder(bool | None).decode,
    "timestamp": msgspec.json.Decoder(str | None).decode,
    "strings": msgspec.json.Decoder(list[str] | None).decode,
    "numbers": msgspec.json.Decoder(list[float] | None).decode,
}


def _ids(text: str) -> list[str]:
    return [segment["id"] for segment in _decode_segments(text) or ()]


_decode_segments = msgspec.json.Decoder(list[dict[str, str]] | None).decode
