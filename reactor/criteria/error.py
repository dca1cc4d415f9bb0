"""The one exception of this package: what is wrong with an expression, and where in it."""

from __future__ import annotations

from reactor.errors import ReactorError


class CriteriaError(ReactorError, ValueError):
    """An expression can't be used.

    message: what was expected and what was found, in one sentence, without the caret.
    offset: 0-based place in `text` that the message is about; None where it has no place.
    hint: what to do about it; "" where there is nothing to propose.
    """

    def __init__(self, message: str, *, text: str, offset: int | None = None, hint: str = "") -> None:
        self.message = message
        self.text = text
        self.offset = offset
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)

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
        line = self.text[start : end if end >= 0 else len(self.text)]
        # A tab before the caret stays a tab, so that the caret stands where the reader sees the place.
        lead = "".join("\t" if char == "\t" else " " for char in self.text[start : self.offset])
        return f"{self.message}\n{line.rstrip()}\n{lead}^"
