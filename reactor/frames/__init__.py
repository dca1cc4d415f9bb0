"""Files and tables as rows of events, and tables of results as files.

polars comes with the `replay` extra. The modules that can't do without it, `delimited`,
`tables` and `writing`, are imported when they are first needed.
"""

from reactor.frames.extra import MissingExtraError, need
from reactor.frames.files import endings, form_of, replacing
from reactor.frames.reading import Source, is_table, rows_of
from reactor.frames.rows import BadRow, Row, Rows

__all__ = [
    "BadRow",
    "MissingExtraError",
    "Row",
    "Rows",
    "Source",
    "endings",
    "form_of",
    "is_table",
    "need",
    "replacing",
    "rows_of",
]
