"""Files by their endings: what is in them, read whole, replaced in one step when written."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Final, Literal, NamedTuple, TypeAlias, cast

from reactor.errors import EventError
from reactor.frames.extra import need

Kind: TypeAlias = Literal["csv", "lines", "json", "parquet"]
Compression: TypeAlias = Literal["gz", "zst"]

_KINDS: Final[dict[str, Kind]] = {
    ".csv": "csv",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "json",
    ".parquet": "parquet",
}
_COMPRESSIONS: Final[dict[str, Compression]] = {".gz": "gz", ".zst": "zst"}


class Form(NamedTuple):
    """What a file holds, and how it is compressed."""

    kind: Kind
    compression: Compression | None


def endings() -> str:
    """List the endings a file may have, for messages.

    >>> endings()
    '.csv .jsonl .ndjson .json .parquet, also with .gz or .zst'
    """
    return f"{' '.join(_KINDS)}, also with {' or '.join(_COMPRESSIONS)}"


def form_of(path: str | os.PathLike[str]) -> Form:
    """Return the form that a file's name declares. Raises EventError for any other ending.

    >>> form_of("orders.csv.gz")
    Form(kind='csv', compression='gz')
    """
    name = Path(path)
    compression = _COMPRESSIONS.get(name.suffix.lower())
    suffix = (Path(name.stem) if compression else name).suffix.lower()
    kind = _KINDS.get(suffix)
    if kind is None:
        got = f'"{suffix}"' if suffix else "none"
        raise EventError(str(path), f"expected a file name that ends in one of {endings()}; got {got}")
    return Form(kind, compression)


def read_bytes(path: str | os.PathLike[str], compression: Compression | None) -> bytes:
    """Return the content of a file, decompressed.

    Raises EventError, with the file as path, if it can't be read or decompressed.
    """
    return next(read_blocks(path, compression, -1), b"")


def read_blocks(path: str | os.PathLike[str], compression: Compression | None, size: int) -> Iterator[bytes]:
    """Yield the content of a file, decompressed, in blocks of `size` bytes, or in one for -1.

    Raises EventError, with the file as path, where it can't be read or decompressed.
    """
    broken: tuple[type[Exception], ...] = (gzip.BadGzipFile, zlib.error, EOFError)
    broken = (*broken, *_zstd_errors(path, compression))
    with ExitStack() as stack:
        stream: BinaryIO | None = None
        while True:
            block: bytes | None = None
            reason = (
                f"expected a whole file compressed with {compression}, got something else or a part of one"
            )
            try:
                if stream is None:
                    stream = stack.enter_context(_opened(Path(path), compression))
                block = stream.read(size)
            except broken:
                pass
            except OSError as error:
                reason = f"can't be read: {error.strerror or 'the system gives no reason'}"
            if block is None:
                raise EventError(str(path), reason)
            if not block:
                return
            yield block


def _opened(path: Path, compression: Compression | None) -> BinaryIO:
    if compression is None:
        return path.open("rb")
    if compression == "gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return cast(BinaryIO, _zstd(path).ZstdFile(path, "rb"))


def _zstd_errors(
    path: str | os.PathLike[str], compression: Compression | None
) -> tuple[type[Exception], ...]:
    return (_zstd(path).ZstdError,) if compression == "zst" else ()


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write: it appears, or replaces the old one, when the block is left without an error.

    A pipe or a device is written directly. Raises EventError if the place can't be written to.
    """
    target = Path(path).resolve()
    direct = target.exists() and not target.is_file()
    partial = target if direct else target.with_name(f".{target.name}.{os.getpid()}.partial")
    reason = ""
    try:
        with partial.open("wb") as raw:
            yield raw
        if not direct:
            partial.replace(target)
    except OSError as error:
        reason = f"can't be written: {error.strerror or 'the system gives no reason'}"
    finally:
        if not direct:
            partial.unlink(missing_ok=True)
    if reason:
        raise EventError(str(path), reason)


@contextmanager
def compressing(
    raw: BinaryIO, path: str | os.PathLike[str], compression: Compression | None
) -> Iterator[BinaryIO]:
    """Compress what is written. The same content gives the same bytes: no name and no time is stored."""
    if compression is None:
        yield raw
    elif compression == "gz":
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as zipped:
            yield cast(BinaryIO, zipped)
    else:
        with _zstd(path).ZstdFile(raw, "wb") as zipped:
            yield cast(BinaryIO, zipped)


def _zstd(path: str | os.PathLike[str]) -> ModuleType:
    # The standard library has it from 3.14 on; the backport is the same code.
    library = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    return need(library, f"{Path(path).name}: zstd")
