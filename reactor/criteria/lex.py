"""Text to tokens: refuse what is too long, too deep or not of this language, before it is parsed.

sqlglot's parser is lenient: it takes `a == b`, `a = 1 b`, `a::int` or `x[1]`, reads some words
as statements and recurses without a bound. So its tokens are read here first, by an automaton
that knows where a value and where an operator may stand. Names are handed on as quoted, so
that no word of an event's column means anything to the parser.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

import msgspec
from sqlglot import Dialect
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from reactor.criteria.error import CriteriaError
from reactor.errors import nearest

MAX_CHARACTERS: Final = 4_000
MAX_NODES: Final = 500
MAX_DEPTH: Final = 50

DIALECT: Final = Dialect.get_or_raise("trino")

# function -> (fewest, most) arguments; None: no limit but that of the nodes.
FUNCTIONS: Final[dict[str, tuple[int, int | None]]] = {
    "abs": (1, 1),
    "cardinality": (1, 1),
    "cast": (1, 1),
    "coalesce": (1, None),
    "contains": (2, 2),
    "greatest": (1, None),
    "least": (1, None),
    "length": (1, 1),
    "lower": (1, 1),
    "nullif": (2, 2),
    "regexp_like": (2, 2),
    "round": (1, 2),
    "segment": (1, 1),
    "starts_with": (2, 2),
    "trim": (1, 1),
    "try_cast": (1, 1),
    "upper": (1, 1),
}
TARGETS: Final = ("boolean", "bigint", "integer", "double", "varchar", "timestamp")
UNITS: Final = ("DAY", "HOUR", "MINUTE", "SECOND")

_OPERATORS: Final = frozenset(
    {"=", "<>", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "||", "AND", "OR"}
)
_WORDS: Final = frozenset(
    {
        "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "TRUE", "FALSE", "DISTINCT", "FROM",
        "CASE", "WHEN", "THEN", "ELSE", "END", "AS",
    }
)  # fmt: skip
# Words that the parser can't take as a name, although it calls them that.
_REFUSED: Final = frozenset(
    {
        "ANY", "ALL", "SOME", "EXISTS", "IF", "SHOW", "CALL", "EXPLAIN", "EXECUTE", "DESC", "ASC", "ESCAPE",
        "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "LOCALTIME", "LOCALTIMESTAMP",
        "ISNULL",
    }
)  # fmt: skip
_INSTEAD: Final = {
    "==": "write = for equality",
    "::": "write CAST(a AS double)",
    "RLIKE": "write regexp_like(a, 'pattern')",
    "REGEXP": "write regexp_like(a, 'pattern')",
    "ILIKE": "write lower(a) LIKE 'pattern'",
    "[": "lists are read with contains and cardinality",
    ";": "one expression, without a semicolon",
    "NOTNULL": "write IS NOT NULL",
    "ISNULL": "write IS NULL",
    "<=>": "write IS NOT DISTINCT FROM",
}
_WORD = re.compile(r"[^\W\d]\w*")
_QUOTE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


class _Frame(msgspec.Struct):
    """An open parenthesis or CASE, or the expression as a whole.

    kind: `top group in case`, or the function in upper case. state: of a CASE, what came last.
    between: where a BETWEEN stands that waits for its AND. like: whether ESCAPE may follow.
    """

    kind: str
    start: int
    depth: int
    commas: int = 0
    state: str = ""
    between: int | None = None
    like: bool = False


def read(text: str) -> list[Token]:
    """Return the tokens of an expression, its names as quoted ones. Raises CriteriaError."""
    if len(text) > MAX_CHARACTERS:
        raise CriteriaError(
            f"expected an expression of at most {MAX_CHARACTERS:,} characters, got {len(text):,}", text=text
        )
    if not text.strip():
        raise CriteriaError("expected an expression, got nothing", text=text)
    return _Reader(text, _tokens(text)).run()


def _tokens(text: str) -> list[Token]:
    try:
        tokens = DIALECT.tokenize(text)
    except TokenError:
        tokens = None
    if tokens is None:
        offset = _open_quote(text)
        quote = text[offset]
        raise CriteriaError(f"expected a closing {quote}", text=text, offset=offset)
    end = 0
    for token in [*tokens, None]:
        start = token.start if token is not None else len(text)
        gap = text[end:start]
        if gap.strip():
            offset = end + len(gap) - len(gap.lstrip())
            raise CriteriaError("expected no comment in an expression", text=text, offset=offset)
        end = token.end + 1 if token is not None else end
    return list(tokens)


def _open_quote(text: str) -> int:
    """Return the place of the quote that is never closed."""
    position = 0
    while True:
        places = [place for place in (text.find("'", position), text.find('"', position)) if place >= 0]
        if not places:
            return max(0, len(text) - 1)
        match = _QUOTE.match(text, min(places))
        if match is None:
            return min(places)
        position = match.end()


class _Reader:
    """The automaton. `out` are the tokens for the parser."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.place = 0
        self.out: list[Token] = []
        self.nodes = 0
        self.stack: list[_Frame] = [_Frame("top", 0, 0)]
        self.prefixes = 0

    def run(self) -> list[Token]:
        while True:
            self.value()
            if not self.operators():
                return self.out

    # What stands at the place.

    def token(self, ahead: int = 0) -> Token | None:
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else None

    def shown(self, ahead: int = 0) -> str:
        """Return the text of a token as written; "" past the end."""
        token = self.token(ahead)
        return "" if token is None else self.text[token.start : token.end + 1]

    def word(self, ahead: int = 0) -> str:
        """Return the word or sign at the place in upper case; "" for text, numbers and quoted names."""
        token = self.token(ahead)
        if token is None or token.token_type in (TokenType.STRING, TokenType.NUMBER, TokenType.IDENTIFIER):
            return ""
        return self.shown(ahead).upper()

    def is_a(self, kind: TokenType, ahead: int = 0) -> bool:
        token = self.token(ahead)
        return token is not None and token.token_type is kind

    # Moving on.

    def take(self, kind: TokenType | None = None) -> None:
        token = self.tokens[self.place]
        if kind is not None:
            token = Token(kind, token.text, token.line, token.col, token.start, token.end)
        self.out.append(token)
        self.place += 1

    def count(self) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.fail(f"expected an expression of at most {MAX_NODES} nodes")

    def push(self, kind: str, state: str = "") -> None:
        depth = self.stack[-1].depth + self.prefixes + 1
        self.deep(depth)
        token = self.tokens[self.place]
        self.stack.append(_Frame(kind, token.start, depth, state=state))
        self.prefixes = 0

    def deep(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            self.fail(f"expected an expression nested at most {MAX_DEPTH} deep")

    def fail(self, message: str, hint: str = "", ahead: int = 0, offset: int | None = None) -> NoReturn:
        token = self.token(ahead)
        if offset is None:
            offset = token.start if token is not None else len(self.text.rstrip())
        raise CriteriaError(message, text=self.text, offset=offset, hint=hint)

    def unexpected(self, wanted: str) -> NoReturn:
        shown = self.shown()
        if not shown:
            self.unclosed()
            self.fail(f"expected {wanted} at the end")
        hint = _INSTEAD.get(self.word(), "")
        if not hint and _WORD.fullmatch(shown):
            hint = f'if it is a name, write "{shown}"' if wanted == "a value" else self.spaced(shown)
        elif self.is_a(TokenType.STRING) and self.place and self.word(-1) in ("DATE", "TIME"):
            hint = f"write TIMESTAMP {shown}"
        self.fail(f"expected {wanted}, got {shown}", hint)

    def spaced(self, shown: str) -> str:
        """Return the hint for a name with a space in it that is not in quotes."""
        lead = self.shown(-1)
        ends = self.token(1) is None or self.word(1) in _OPERATORS | {")", "IS", "IN", "LIKE", "NOT"}
        is_name = bool(_WORD.fullmatch(lead)) and self.word(-1) not in _WORDS
        return f'a name with a space is written "{lead} {shown}"' if is_name and ends else ""

    def unclosed(self) -> None:
        frame = self.stack[-1]
        if frame.kind == "case":
            self.fail("expected END after this CASE", offset=frame.start)

    def settled(self, frame: _Frame) -> None:
        """Refuse a BETWEEN without its AND where its part of the expression ends."""
        if frame.between is not None:
            self.fail("expected AND after this BETWEEN", "write a BETWEEN 1 AND 5", offset=frame.between)
        frame.like = False

    # A value.

    def value(self) -> None:
        """Read one operand with what stands before it; return where an operator may follow."""
        while True:
            word = self.word()
            if word in ("NOT", "-"):
                if word == "NOT" and self.shown() == "!":
                    self.unexpected("a value")
                self.count()
                self.prefixes += 1
                self.deep(self.stack[-1].depth + self.prefixes)
                self.take()
            elif word == "(":
                self.push("group")
                self.take()
            elif word == "CASE":
                self.case()
            elif self.function():
                self.count()
                self.push(self.word())
                self.take(TokenType.VAR)
                self.take()
                if self.word() == ")":
                    self.arity(-1)
            else:
                break
        self.count()
        self.operand()
        self.prefixes = 0

    def case(self) -> None:
        """Open a CASE, and its first WHEN where that follows at once."""
        self.count()
        self.push("case", "subject")
        self.take()
        if self.word() == "WHEN":
            self.stack[-1].state = "when"
            self.take()

    def function(self) -> bool:
        """Tell whether a function is called here; refuse one that is not known."""
        token = self.token()
        if (
            token is None
            or self.shown(1) != "("
            or self.is_a(TokenType.STRING)
            or self.is_a(TokenType.NUMBER)
        ):
            return False
        shown = self.shown()
        if self.is_a(TokenType.IDENTIFIER):
            self.fail(f"expected a function, got the name {shown}", "a function is written without quotes")
        if shown.lower() in FUNCTIONS:
            return True
        if shown.upper() in _WORDS or not _WORD.fullmatch(shown):
            return False
        close = nearest(shown.lower(), FUNCTIONS)
        hint = f"did you mean {close}?" if close else f"there are {', '.join(sorted(FUNCTIONS))}"
        if shown.upper() == "IF":
            hint = "write CASE WHEN … THEN … ELSE … END"
        elif shown.lower() in ("now", "current_timestamp"):
            hint = "write now, without parentheses"
        return self.fail(f"{shown} is not a function of criteria", hint)

    def operand(self) -> None:
        token = self.token()
        if token is None:
            self.unexpected("a value")
        if token.token_type is TokenType.STRING:
            self.take()
        elif token.token_type is TokenType.NUMBER or self.fraction():
            self.number()
        elif self.word() in ("NULL", "TRUE", "FALSE"):
            self.take()
        elif self.word() == "TIMESTAMP" and self.is_a(TokenType.STRING, 1):
            self.take()
            self.take()
        elif self.word() == "INTERVAL" and (self.is_a(TokenType.STRING, 1) or self.is_a(TokenType.NUMBER, 1)):
            self.interval()
        else:
            self.name()

    def fraction(self) -> bool:
        """Take the point of `.5`, which is a token of its own."""
        token, digits = self.token(), self.token(1)
        if self.word() != "." or token is None or digits is None:
            return False
        if not self.is_a(TokenType.NUMBER, 1) or digits.start != token.end + 1 or "." in digits.text:
            return False
        self.take()
        return True

    def number(self) -> None:
        shown = self.shown()
        try:
            fits = float(shown) not in (float("inf"), float("-inf"))
        except ValueError:
            fits = False
        if not fits:
            self.fail(f"expected a finite number, got {shown}")
        self.take()
        token = self.token()
        if (
            token is not None
            and self.tokens[self.place - 1].end + 1 == token.start
            and _WORD.match(self.shown())
        ):
            self.fail(f"expected a number, got {shown}{self.shown()}", ahead=-1)

    def interval(self) -> None:
        if not self.is_a(TokenType.STRING, 1):
            self.fail("expected INTERVAL '7' DAY, got a number without quotes", f"write '{self.shown(1)}'", 1)
        if self.word(2) not in UNITS:
            self.fail(f"expected DAY, HOUR, MINUTE or SECOND, got {self.shown(2) or 'nothing'}", ahead=2)
        self.take()
        self.take()
        self.take(TokenType.VAR)

    def name(self) -> None:
        """Take a name with its fields. Any word may stand after a dot."""
        self.name_word()
        while self.word() == ".":
            self.take()
            shown = self.shown()
            if not (self.is_a(TokenType.IDENTIFIER) or _WORD.fullmatch(shown)):
                self.fail(f"expected a name after the dot, got {shown or 'nothing'}")
            if self.shown(1) == "(":
                written = f"{self.shown(-2)}.{shown}(…)"
                if written == "before.segment(…)":
                    self.fail(
                        f"{written} can't be used: segments are of now", "write segment('id')", ahead=-2
                    )
                self.fail(f"expected a name after the dot, got the function {written}", ahead=-2)
            self.take(TokenType.IDENTIFIER)

    def name_word(self) -> None:
        token, shown, word = self.tokens[self.place], self.shown(), self.word()
        if token.token_type is TokenType.IDENTIFIER:
            if not token.text:
                self.fail('expected a name, got ""', "text is in single quotes")
            return self.take()
        if not _WORD.fullmatch(shown) or word in _WORDS - {"FROM", "DISTINCT", "AS"}:
            self.unexpected("a value")
        known = token.token_type is TokenType.VAR or token.token_type in DIALECT.parser_class.ID_VAR_TOKENS
        if word in _REFUSED or not known:
            self.fail(f"{shown} is a word of SQL, so as a name it needs double quotes", f'write "{shown}"')
        return self.take(TokenType.IDENTIFIER)

    # What follows a value.

    def operators(self) -> bool:
        """Read up to where the next value begins; False at the end of the expression."""
        while True:
            word = self.word()
            frame = self.stack[-1]
            if not word and self.token() is None:
                self.settled(frame)
                if len(self.stack) > 1:
                    self.unclosed()
                    self.fail("expected a closing )", offset=frame.start)
                return False
            if self.operator(word, frame) or (word in ("WHEN", "THEN", "ELSE") and self.when(frame, word)):
                return True
            if word == "," and frame.kind not in ("top", "group", "case"):
                self.comma(frame)
                return True
            if word == "END" and frame.kind == "case":
                self.end(frame)
            elif word == ")":
                self.close(frame)
            elif word == "AS" and frame.kind in ("CAST", "TRY_CAST"):
                self.target()
            elif not self.suffix(word, frame):
                self.unexpected("an operator" if self.token() is not None else "a value")

    def operator(self, word: str, frame: _Frame) -> bool:
        """Take an operator that a value follows."""
        negated = word == "NOT"
        key = self.word(1) if negated else word
        if word in _OPERATORS:
            self.count()
            if word == "AND":
                frame.between = None
            if word in ("AND", "OR"):
                frame.like = False
            self.take()
            return True
        if key in ("LIKE", "BETWEEN", "IN"):
            self.count()
            frame.like = key == "LIKE"
            if key == "BETWEEN":
                self.settled(frame)
                frame.between = self.tokens[self.place + negated].start
            for _ in range(1 + negated):
                self.take()
            if key == "IN":
                self.open_in()
            return True
        return word == "IS" and self.distinct()

    def open_in(self) -> None:
        if self.word() != "(":
            self.fail(f"expected ( after IN, got {self.shown() or 'nothing'}")
        if self.word(1) == ")":
            self.fail("expected at least one value in IN (…)")
        self.push("in")
        self.take()

    def distinct(self) -> bool:
        ahead = 2 if self.word(1) == "NOT" else 1
        if self.word(ahead) != "DISTINCT":
            return False
        if self.word(ahead + 1) != "FROM":
            self.fail("expected FROM after IS DISTINCT", ahead=ahead)
        self.count()
        for _ in range(ahead + 2):
            self.take()
        return True

    def suffix(self, word: str, frame: _Frame) -> bool:
        """Take IS NULL and its like, or ESCAPE: no value follows."""
        if word == "ESCAPE" and frame.like:
            frame.like = False
            if not self.is_a(TokenType.STRING, 1):
                got = self.shown(1) or "nothing"
                self.fail(f"expected an escape character in single quotes, got {got}", ahead=1)
            self.take()
            self.take()
            return True
        if word != "IS":
            return False
        ahead = 2 if self.word(1) == "NOT" else 1
        if self.word(ahead) not in ("NULL", "TRUE", "FALSE"):
            got = self.shown(ahead) or "nothing"
            self.fail(f"expected NULL, TRUE, FALSE or DISTINCT FROM after IS, got {got}", ahead=ahead)
        self.count()
        for _ in range(ahead + 1):
            self.take()
        return True

    def when(self, frame: _Frame, word: str) -> bool:
        allowed = {"subject": "WHEN", "when": "THEN", "then": "WHEN, ELSE or END", "else": "END"}
        if frame.kind != "case":
            return False
        self.settled(frame)
        if word not in allowed[frame.state]:
            self.fail(f"expected {allowed[frame.state]}, got {self.shown()}")
        frame.state = word.lower()
        self.take()
        return True

    def end(self, frame: _Frame) -> None:
        self.settled(frame)
        if frame.state not in ("then", "else"):
            self.fail(f"expected {'WHEN' if frame.state == 'subject' else 'THEN'} before END")
        self.take()
        self.stack.pop()

    def comma(self, frame: _Frame) -> None:
        self.settled(frame)
        frame.commas += 1
        most = FUNCTIONS.get(frame.kind.lower(), (1, None))[1]
        if most is not None and frame.commas >= most:
            self.arity(frame.commas)
        self.take()

    def arity(self, commas: int) -> NoReturn:
        frame = self.stack[-1]
        least, most = FUNCTIONS[frame.kind.lower()]
        wanted = f"{least} or more" if most is None else str(least) if least == most else f"{least} or {most}"
        got = "none" if commas < 0 else "more" if most is not None and commas >= most else str(commas + 1)
        noun = "argument" if wanted == "1" else "arguments"
        self.fail(f"{frame.kind.lower()} takes {wanted} {noun}, got {got}", offset=frame.start)

    def close(self, frame: _Frame) -> None:
        self.settled(frame)
        if frame.kind in ("top", "case"):
            self.unclosed()
            self.fail("expected no ) here: none is open")
        if frame.kind in ("CAST", "TRY_CAST") and frame.state != "as":
            self.fail(f"expected AS and a type before ), as in {frame.kind}(a AS double)")
        if frame.commas + 1 < FUNCTIONS.get(frame.kind.lower(), (1, None))[0]:
            self.arity(frame.commas)
        self.take()
        self.stack.pop()

    def target(self) -> None:
        self.stack[-1].state = "as"
        self.take()
        shown = self.shown()
        if shown.lower() not in TARGETS or self.shown(1) != ")":
            got = (
                " ".join(self.shown(i) for i in range(4) if self.shown(i))
                .partition(" )")[0]
                .replace(" ( ", "(")
            )
            self.fail(
                f"expected a type to cast to, got {got or 'nothing'}", f"there are {', '.join(TARGETS)}"
            )
        self.take()
