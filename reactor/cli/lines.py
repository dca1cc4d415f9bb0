"""JSON lines, as commands read them: from stdin or a file, also compressed."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from reactor.cli.console import CommandError
from reactor.cli.loading import require_file
from reactor.errors import EventError
from reactor.frames.files import Form, form_of, read_bytes


def opened(file: str) -> AbstractContextManager[BinaryIO]:
    """Return a file of JSON lines, also a compressed one, or stdin for `-`. Raises CommandError."""
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    require_file(file)
    form = _form(file)
    if form is None or form.kind == "lines":
        packed = None if form is None else form.compression
        return Path(file).open("rb") if packed is None else io.BytesIO(read_bytes(file, packed))
    raise CommandError(f"{file}: expected JSON lines; `reactor simulate` reads files of this kind")


def _form(file: str) -> Form | None:
    """Return what the file's ending says; None for one that says nothing: its lines are taken as they are."""
    try:
        return form_of(file)
    except EventError:
        return None


def lines_of(source: BinaryIO, most_bytes: int) -> Iterator[bytes]:
    """Yield lines without their ends; of one that is too long, as much as shows that it is."""
    # Room for the line end; a line without one would otherwise be read whole into memory.
    while line := source.readline(most_bytes + 2):
        if not line.endswith(b"\n"):
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = source.readline(most_bytes)
        yield line.removesuffix(b"\n").removesuffix(b"\r")
