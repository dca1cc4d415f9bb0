"""Criteria: SQL expressions over an event and a profile, checked, and compiled to Python.

    text --parse--> syntax --check--> tree --walk--> value      (defines the meaning)
                                       tree --emit--> source     (what runs)

Nothing here knows of a config: the checker is given a `Scope` of names and types, and the
emitter asks `Names` how a name is read.
"""

from __future__ import annotations

from reactor.criteria.check import compile_expression
from reactor.criteria.emit import emit_condition, emit_value
from reactor.criteria.error import CriteriaError
from reactor.criteria.source import Names
from reactor.criteria.tree import LISTS, Expression, Name, Ref, Scope, Type
from reactor.criteria.walk import walk

__all__ = [
    "LISTS",
    "CriteriaError",
    "Expression",
    "Name",
    "Names",
    "Ref",
    "Scope",
    "Type",
    "compile_expression",
    "emit_condition",
    "emit_value",
    "walk",
]
