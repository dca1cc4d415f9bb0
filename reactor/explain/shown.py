"""Trees as they are shown: each condition with its truth, each leaf with what it reads."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from reactor.criteria import Ref
from reactor.criteria.walk import Read
from reactor.criteria.write import sql
from reactor.explain.distance import value_json
from reactor.explain.shapes import Node, Operand, Truth
from reactor.explain.tree import Leaf, Part, Truth3


class Public(msgspec.Struct, frozen=True):
    """Whether an explanation is for the public audience, and what that hides."""

    is_on: bool

    def hides(self, part: Part | None) -> bool:
        """Tell whether what a part comes to would tell of a sensitive value."""
        return self.is_on and part is not None and part.sensitive


def truth_text(truth: Truth3) -> Truth:
    """Return a truth as text."""
    if truth is None:
        return "unknown"
    return "true" if truth else "false"


def show(part: Part, truths: Sequence[Truth3], read: Read, public: Public) -> Node:
    """Return a tree with its truths. What is sensitive has none for the public audience."""
    node, _ = _shown(part, truths, read, public)
    return node


def _shown(part: Part, truths: Sequence[Truth3], read: Read, public: Public) -> tuple[Node, Truth3]:
    is_hidden = public.hides(part)
    if isinstance(part, Leaf):
        truth = truths[part.number]
        operands = tuple([_operand(part, ref, of, read, public) for ref, of in part.operands])
        shown = None if is_hidden else truth_text(truth)
        return Node("leaf", part.text, shown, part.number, is_hidden, operands), truth
    inner = [_shown(branch, truths, read, public) for branch in part.branches]
    truth = part.join([truth for _, truth in inner])
    shown = None if is_hidden else truth_text(truth)
    return Node(part.mark, part.text, shown, None, is_hidden, (), tuple([node for node, _ in inner])), truth


def _operand(leaf: Leaf, ref: Ref, of: str | None, read: Read, public: Public) -> Operand:
    name = leaf.names[ref]
    if public.is_on and leaf.is_secret(ref):
        return Operand(name, None, of, True)
    return Operand(name, value_json(read(ref), ref.type), of)


def name_of(ref: Ref, *, bare: bool) -> str:
    """Return a name as it is written in an expression."""
    return sql(ref, bare=bare)
