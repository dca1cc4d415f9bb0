"""Why an event or a read is answered as it is, what would change the answer, and when it will change.

    event ──▶ scratch: the engine's functions, on copies ──▶ offers, rows before and after
                                                               │
    config ──▶ tree: leaves ──▶ truths ──▶ ways, distances, turns ──▶ explanation

Nothing here writes to an engine's state.
"""

from reactor.explain.explainer import Explainer
from reactor.explain.explanation import Explanation, explanation_schema
from reactor.explain.shapes import (
    Distance,
    IdentityWhy,
    KeyEventWhy,
    Need,
    Node,
    Operand,
    PartChange,
    SectionWhy,
    Turn,
    Way,
)

__all__ = (
    "Distance",
    "Explainer",
    "Explanation",
    "IdentityWhy",
    "KeyEventWhy",
    "Need",
    "Node",
    "Operand",
    "PartChange",
    "SectionWhy",
    "Turn",
    "Way",
    "explanation_schema",
)
