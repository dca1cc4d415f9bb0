"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias


class Done(NamedTuple):
    """How a command ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


Run: TypeAlias = Callable[..., Done]
Write: TypeAlias = Callable[..., Path]


CONFIG = """\
version: 1
name: shop
identity: {secret: s, keys: {id: {}, email: {}}}
key_events: {view: web.views}
attributes:
  views: {type: counter, on: view, window: 7d}
  name: {type: single, on: view, value: name, dtype: string, sensitive: true}
personalizations:
  home:
    sections:
      Hello: {on: view, when: views >= 2, payload: {attributes: {views: views}}}
      You: {on: view, when: name IS NOT NULL, payload: {attributes: {name: name, views: views}}}
"""
