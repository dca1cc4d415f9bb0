"""pandas frames as rows, without polars and without pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from reactor.errors import EventError
from reactor.frames.rows import Row, blocks, key_error

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import polars as pl
    from numpy.typing import NDArray


def from_pandas(frame: pd.DataFrame, keys: Collection[str], where: str) -> PandasRows:
    """Return the rows of a pandas frame; `where` names it in errors."""
    names = list(frame.columns)
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise EventError(where, "expected columns with different names, each a text")
    kinds = [getattr(dtype, "kind", "O") for dtype in frame.dtypes]
    return PandasRows(
        frame,
        [_plain_cell(kind, name, name in keys, where) for kind, name in zip(kinds, names, strict=True)],
    )


class PandasRows:
    """The rows of a pandas frame, each value made plain by what its column's type asks for."""

    def __init__(self, frame: pd.DataFrame, plain: Sequence[Callable[[object], object]]) -> None:
        self.columns: tuple[str, ...] | None = tuple(frame.columns)
        self._frame = frame
        self._plain = plain

    def __len__(self) -> int:
        return len(self._frame)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        """Yield rows; NaN, NaT, NA and None are absent columns."""
        names = list(self._frame.columns)
        for some in blocks(numbers):
            block = self._frame.iloc[list(some)]
            columns = [
                [None if is_missing(value) else plain(value) for value in block.iloc[:, place].tolist()]
                for place, plain in enumerate(self._plain)
            ]
            for values in zip(*columns, strict=True):
                yield {name: value for name, value in zip(names, values, strict=True) if value is not None}

    def select(self, names: Collection[str]) -> PandasRows:
        """Return the rows with these columns only, of those there are."""
        places = [place for place, name in enumerate(self._frame.columns) if name in names]
        return PandasRows(self._frame.iloc[:, places], [self._plain[place] for place in places])

    def table(self, numbers: NDArray[np.int64], names: Collection[str]) -> pl.DataFrame | None:
        """Return None: what a column of pandas holds is seen value by value."""
        return None


def is_missing(value: object) -> bool:
    """Tell whether a value stands for none: None, NaN, or pandas' NaT and NA.

    >>> is_missing(float("nan")), is_missing(0)
    (True, False)
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def as_plain(value: object) -> object:
    """Return a cell of a table as an event has it: a time as ISO 8601 text, a decimal as a double.

    >>> from datetime import datetime
    >>> as_plain(datetime(2011, 3, 1, 10)), as_plain(Decimal("1.50")), as_plain("a")
    ('2011-03-01T10:00:00', 1.5, 'a')
    """
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _plain_cell(kind: str, name: str, is_key: bool, where: str) -> Callable[[object], object]:
    if is_key and kind == "f":
        raise key_error(name, "float", where)
    return str if is_key and kind in "iu" else as_plain
