"""The one exception of this package: what is wrong with an expression, and where in it."""

from __future__ import annotations

import re
from typing import Final

from reactor.errors import ReactorError

# What a terminal would obey instead of showing it, and what can't be encoded.
_UNSHOWN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class CriteriaError(ReactorError, ValueError):
    """An expression can't be used.

    message: what was expected and what was found, in one sentence, without the caret.
    offset: 0-based place in `text` that the message is about; None where it has no place.
    hint: what to do about it; "" where there is nothing to propose.
    """

    def __init__(self, message: str, *, text: str, offset: int | None = None, hint: str = "") -> None:
        self.message = _shown(message)
        self.text = text
        self.offset = offset
        self.hint = _shown(hint)
        super().__init__(f"{self.message} ({self.hint})" if hint else self.message)

    def rendered(self) -> str:
        """Return the message, the line it is about, and a caret under the place.

        >>> print(CriteriaError("expected a number, got text", text="a +\\n'b'", offset=4).rendered())
        expected a number, got text
        'b'
        ^
        """
        if self.offset is None:
            return self.message
        start = self.text.rfind("\n", 0, self.offset) + 1
        end = self.text.find("\n", self.offset)
        parts = self.text[start : end if end >= 0 else len(self.text)].split("\t")
        line = "\t".join(_shown(part) for part in parts)
        # A tab before the caret stays a tab, so that the caret stands where the reader sees the place.
        lead = "".join("\t" if char == "\t" else " " for char in self.text[start : self.offset])
        return f"{self.message}\n{line.rstrip()}\n{lead}^"


def _shown(text: str) -> str:
    """Return text with a mark for every character that can't be shown: as long, so that carets fit."""
    return _UNSHOWN.sub("\ufffd", text)
