"""Columns: the values of many rows, kept so that work is done once a distinct value or in numpy.

| class | holds | NULL |
| --- | --- | --- |
| `Coded` | any values: text, lists, what is untyped, numbers that no double holds | code -1 |
| `Numbers` | numbers in float64 or int64; times and intervals in int64, in ms | `null` is set |
| `Truths` | conditions and booleans, as two masks | neither mask is set |
| `Lists` | what yields lists, which are made only for those who want them whole | never |

A column is never changed. `tolist` gives the values as the live engine holds them: whole doubles below
2^53 are ints. A number column is `Numbers`, unless it has a whole number beyond 2^53 beside doubles:
then it is `Coded`, whose values are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from reactor import values
from reactor.replay.columns.ordering import combined_codes
from reactor.values import EXACT

Codes: TypeAlias = NDArray[np.int32]
Rows: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
NumberData: TypeAlias = NDArray[Any]  # of float64 or of int64

_encode = msgspec.json.encode
_NUMBER_CLASSES: Final = ({float}, {int}, {int, float})


class Coded(msgspec.Struct, frozen=True, eq=False):
    """Values by number. codes: of each row, -1 for NULL; values: distinct, none of them None."""

    codes: Codes
    values: list[Any]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Rows | Mask) -> Coded:
        """Return the column of these rows, which are given by number or by mask."""
        return Coded(self.codes[rows], self.values)

    def null(self) -> Mask:
        """Return where the value is NULL."""
        return self.codes < 0

    def tolist(self) -> list[Any]:
        """Return the values, None for NULL. Lists are shared between rows."""
        return [*map([*self.values, None].__getitem__, self.codes.tolist())]

    def map(self, function: Callable[[Any], Any]) -> Coded:
        """Return what `function` makes of each value, called once a distinct value; None is NULL."""
        codes, distinct = number_values(map(function, self.values))
        return Coded(_through(codes, self.codes), distinct)

    def test(self, function: Callable[[Any], bool | None]) -> Truths:
        """Return what a three-valued test says of each value; it is called once a distinct value."""
        found = [function(value) for value in self.values]
        return Truths(
            np.array([*(one is True for one in found), False], dtype=np.bool_)[self.codes],
            np.array([*(one is False for one in found), False], dtype=np.bool_)[self.codes],
        )


class Numbers(msgspec.Struct, frozen=True, eq=False):
    """Numbers. nulls: where there is none, and the data means nothing; None for nowhere."""

    data: NumberData
    nulls: Mask | None = None

    def __len__(self) -> int:
        return len(self.data)

    def take(self, rows: Rows | Mask) -> Numbers:
        """Return the column of these rows, which are given by number or by mask."""
        return Numbers(self.data[rows], None if self.nulls is None else self.nulls[rows])

    def null(self) -> Mask:
        """Return where the value is NULL."""
        return np.zeros(len(self.data), dtype=np.bool_) if self.nulls is None else self.nulls

    def tolist(self) -> list[Any]:
        """Return the values, each in its one form; None for NULL."""
        found: list[Any] = self.data.tolist() if self.data.dtype == np.int64 else _canonical(self.data)
        if self.nulls is not None:
            for row in np.flatnonzero(self.nulls).tolist():
                found[row] = None
        return found


class Truths(msgspec.Struct, frozen=True, eq=False):
    """Truth values: where it is true, and where false; unknown elsewhere."""

    true: Mask
    false: Mask

    def __len__(self) -> int:
        return len(self.true)

    def take(self, rows: Rows | Mask) -> Truths:
        """Return the column of these rows, which are given by number or by mask."""
        return Truths(self.true[rows], self.false[rows])

    def null(self) -> Mask:
        """Return where it is unknown."""
        return ~(self.true | self.false)

    def tolist(self) -> list[Any]:
        """Return True, False or None, row by row."""
        codes = np.where(self.true, 0, np.where(self.false, 1, 2)).tolist()
        return [*map((True, False, None).__getitem__, codes)]


class ListSource(Protocol):
    """Lists, by row, that need not be made to be asked."""

    @property
    def elements(self) -> list[Any]:
        """Return every value that an element of a list may be."""

    def sizes(self, rows: Rows) -> Rows:
        """Return how many elements the lists of some rows have."""

    def holding(self, labels: Rows, wanted: Rows, rows: Rows) -> Mask:
        """Return in which of some rows an element has the wanted label.

        labels: one for each of `elements`; wanted: one a row; -1 for none.
        """

    def made(self, rows: Rows, text_of: Callable[[Any], str] | None = None) -> Coded:
        """Return the lists of some rows; as texts of their elements' texts if `text_of` is given."""


class Lists(msgspec.Struct, frozen=True, eq=False):
    """Lists that are made only if someone wants them whole. rows: of the source, one a row."""

    source: ListSource
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Rows | Mask) -> Lists:
        """Return the column of these rows, which are given by number or by mask."""
        return Lists(self.source, self.rows[rows])

    def null(self) -> Mask:
        """Return where the value is NULL: nowhere."""
        return np.zeros(len(self.rows), dtype=np.bool_)

    def tolist(self) -> list[Any]:
        """Return the lists. They are shared between rows."""
        return self.source.made(self.rows).tolist()


Column: TypeAlias = Coded | Numbers | Truths | Lists


# Making columns


def coded(found: Iterable[Any]) -> Coded:
    """Return values as they are, as a column.

    >>> coded(["a", None, 1, "a"]).codes.tolist()
    [0, -1, 1, 0]
    """
    return Coded(*number_values(found))


def repeated(value: Any, count: int) -> Coded:
    """Return a column of one value."""
    if value is None:
        return Coded(np.full(count, -1, dtype=np.int32), [])
    return Coded(np.zeros(count, dtype=np.int32), [value])


def number_values(found: Iterable[Any]) -> tuple[Codes, list[Any]]:
    """Return the number of each value among the distinct ones, -1 for None, and those.

    1 and True, and whole numbers and the doubles beyond 2^53 that equal them, are different.
    """
    seen: dict[Any, int] = {}
    distinct: list[Any] = []
    codes = []
    for value in found:
        if value is None:
            codes.append(-1)
            continue
        key = value if value.__class__ is str else value_key(value)
        code = seen.setdefault(key, len(distinct))
        if code == len(distinct):
            distinct.append(value)
        codes.append(code)
    return np.array(codes, dtype=np.int32), distinct


def value_key(value: Any) -> Any:
    """Return a hashable that is equal for what can't be told apart: neither by class nor by value."""
    return _encode(value) if value.__class__ is list else (value.__class__, value)


def column_of(found: Sequence[Any], kind: str) -> Column:
    """Return values as the column that is best for their type.

    kind: as in `reactor.criteria.tree.Type`; values are of it, or None.
    """
    if kind == "boolean":
        known = {True: 0, False: 1, None: 2}
        codes = np.fromiter((known[value] for value in found), dtype=np.int8, count=len(found))
        return Truths(codes == 0, codes == 1)
    if kind in ("timestamp", "interval"):
        return _whole_numbers(found)
    return numbered(coded(found)) if kind == "number" else coded(found)


def _whole_numbers(found: Sequence[int | None]) -> Numbers:
    data = np.fromiter((value or 0 for value in found), dtype=np.int64, count=len(found))
    nulls = np.fromiter((value is None for value in found), dtype=np.bool_, count=len(found))
    return Numbers(data, nulls if nulls.any() else None)


def numbered(column: Coded) -> Numbers | Coded:
    """Return a column whose values are numbers as `Numbers`, if doubles hold them all."""
    distinct = column.values
    if any(value.__class__ is int and not -EXACT < value < EXACT for value in distinct):
        return column
    data = np.array([*distinct, np.nan], dtype=np.float64)[column.codes]
    nulls = column.codes < 0
    return Numbers(data, nulls if nulls.any() else None)


def concatenate(columns: Sequence[Column]) -> Column:
    """Return the rows of all columns, one column after the other. There is at least one."""
    if all(isinstance(column, Truths) for column in columns):
        return Truths(
            np.concatenate([column.true for column in columns]),  # type: ignore[union-attr]
            np.concatenate([column.false for column in columns]),  # type: ignore[union-attr]
        )
    if all(isinstance(column, Numbers) for column in columns):
        data = [column.data for column in columns]  # type: ignore[union-attr]
        if len({array.dtype for array in data}) == 1:
            nulls = np.concatenate([column.null() for column in columns])
            return Numbers(np.concatenate(data), nulls if nulls.any() else None)
    parts = [as_coded(column) for column in columns]
    codes, distinct = number_values(value for part in parts for value in part.values)
    found, start = [], 0
    for part in parts:
        found.append(_through(codes[start : start + len(part.values)], part.codes))
        start += len(part.values)
    return Coded(np.concatenate(found), distinct)


# From one kind to another


def as_coded(column: Column) -> Coded:
    """Return any column as values by number."""
    if isinstance(column, Coded):
        return column
    if isinstance(column, Lists):
        return column.source.made(column.rows)
    if isinstance(column, Truths):
        codes = np.where(column.true, 0, np.where(column.false, 1, -1)).astype(np.int32)
        return Coded(codes, [True, False])
    known = slice(None) if column.nulls is None else ~column.nulls
    distinct, inverse = np.unique(column.data[known], return_inverse=True)
    codes = np.full(len(column), -1, dtype=np.int32)
    codes[known] = inverse.reshape(-1)
    return Coded(codes, Numbers(distinct).tolist())


def as_text(column: Column) -> Coded:
    """Read every value as text, as `reactor.values.as_text` does."""
    found = as_coded(column)
    return found if all(value.__class__ is str for value in found.values) else found.map(values.as_text)


def as_number(column: Column) -> Numbers | Coded:
    """Read every value as a number, as `reactor.values.as_number` does, in its one form."""
    if isinstance(column, Numbers):
        return column
    return numbered(as_coded(column).map(_number))


def _number(value: object) -> int | float | None:
    number = values.as_number(value)
    return None if number is None else values.canonical(number)


def as_boolean(column: Column) -> Truths:
    """Read every value as a boolean, as `reactor.values.as_boolean` does."""
    return column if isinstance(column, Truths) else as_coded(column).test(values.as_boolean)


def as_time(column: Column) -> Numbers:
    """Read every value as a time in ms, as `reactor.values.as_time` does; a list is none."""
    found = as_coded(column)
    times = [values.as_time(value) for value in found.values]
    data = np.array([*(time or 0 for time in times), 0], dtype=np.int64)[found.codes]
    nulls = np.array([*(time is None for time in times), True], dtype=np.bool_)[found.codes]
    return Numbers(data, nulls if nulls.any() else None)


def doubles(column: Column) -> NDArray[np.float64] | None:
    """Return the data of a number column in float64; None if that would not be exact.

    What stands where there is NULL means nothing.
    """
    if not isinstance(column, Numbers):
        return None
    if column.data.dtype == np.float64:
        return column.data
    if len(column.data) and not (-EXACT < column.data.min() and column.data.max() < EXACT):
        return None
    return column.data.astype(np.float64)


def combined(columns: Sequence[Column]) -> tuple[NDArray[np.int64], Rows]:
    """Return the number of each row's combination of values, and the first row of each combination.

    Rows have one number if they are alike in all columns.
    """
    found = [as_coded(column) for column in columns]
    return combined_codes([(column.codes, len(column.values)) for column in found], len(columns[0]))


def _through(table: Codes, codes: Codes) -> Codes:
    """Return `codes` renumbered by a table; -1 stays."""
    return np.append(table, np.int32(-1))[codes]


def _canonical(data: NDArray[Any]) -> list[Any]:
    with np.errstate(invalid="ignore"):
        is_whole = (np.abs(data) < EXACT) & (np.floor(data) == data)
    if is_whole.all():
        return data.astype(np.int64).tolist()  # type: ignore[no-any-return]
    found = data.astype(object)
    found[is_whole] = data[is_whole].astype(np.int64).astype(object)
    return found.tolist()  # type: ignore[no-any-return]
