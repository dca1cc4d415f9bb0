"""Whether CSV is well-formed all through: then a fast reader may read it, else one that knows bad rows.

polars fills up short rows and fails as a whole on a long one, on odd quotes and on other bytes
than UTF-8. So it may only read what this scan, a few passes of numpy over the bytes, has found clean.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np

_Bytes: TypeAlias = "np.ndarray[Any, np.dtype[np.uint8]]"

_QUOTE, _COMMA, _END, _RETURN = b'",\n\r'
_LONGEST: Final = 131_072  # of a field, in the reader of the standard library


def is_wellformed(content: bytes, fields: int) -> bool:
    """Tell whether every record has this many fields, quoted as in RFC 4180, and none is blank or huge.

    content: CSV with its header. A true answer is certain; a false one may be caution.
    Cost: O(bytes), some nanoseconds each.

    >>> is_wellformed(b'id,note\\n1,"a, b"\\n', 2), is_wellformed(b"id,note\\n1\\n", 2)
    (True, False)
    """
    if fields < 2 or not content or content.count(b"\r") != content.count(b"\r\n"):
        return False
    text = np.frombuffer(content if content.endswith(b"\n") else content + b"\n", dtype=np.uint8)
    plain = np.ones(len(text), dtype=np.bool_)
    if b'"' in content:
        quotes = text == _QUOTE
        # What lies between one quote and the next is in turn outside and inside, its first quote included.
        bounds = np.concatenate([[0], np.flatnonzero(quotes), [len(text)]])
        inside = np.repeat(np.arange(len(bounds) - 1) % 2 == 1, np.diff(bounds))
        if inside[-1] or not _quotes_are_tidy(text, quotes, inside):
            return False
        plain = ~inside
    ends = np.flatnonzero((text == _END) & plain)
    commas = np.flatnonzero((text == _COMMA) & plain)
    lengths = np.diff(ends, prepend=-1)
    counts = np.diff(np.searchsorted(commas, ends), prepend=0)
    return bool(lengths.max() < _LONGEST and np.all(counts == fields - 1))


def _quotes_are_tidy(text: _Bytes, quotes: np.ndarray[Any, Any], inside: np.ndarray[Any, Any]) -> bool:
    """Tell whether quotes open at the start of a field and close at its end; inside they are doubled."""
    opening = np.flatnonzero(quotes & inside)
    closing = np.flatnonzero(quotes & ~inside)
    before = text[opening - 1]
    before[opening == 0] = _END
    after = text[closing + 1]  # there is one: the last byte ends a line
    doubled = (before == _QUOTE, after == _QUOTE)
    starts = (before == _COMMA) | (before == _END) | doubled[0]
    stops = (after == _COMMA) | (after == _END) | (after == _RETURN) | doubled[1]
    return bool(np.all(starts) and np.all(stops))
