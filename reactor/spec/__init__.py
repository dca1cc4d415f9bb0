"""The declared model: reads a config, checks it, and resolves it into what the engine runs."""

from reactor.spec.load import Config, load_config
from reactor.spec.model import (
    Aggregation,
    AggregationKind,
    Attribute,
    Backfill,
    ByKeyEvent,
    Computed,
    Counter,
    DType,
    Imported,
    Key,
    KeyEvent,
    Limits,
    ListAttribute,
    Section,
    Single,
    Table,
    Total,
    Trigger,
    Window,
)
from reactor.spec.node import Node, Path, Reading, format_path
from reactor.spec.raw import config_schema
from reactor.spec.read import read

__all__ = [
    "Aggregation",
    "AggregationKind",
    "Attribute",
    "Backfill",
    "ByKeyEvent",
    "Computed",
    "Config",
    "Counter",
    "DType",
    "Imported",
    "Key",
    "KeyEvent",
    "Limits",
    "ListAttribute",
    "Node",
    "Path",
    "Reading",
    "Section",
    "Single",
    "Table",
    "Total",
    "Trigger",
    "Window",
    "config_schema",
    "format_path",
    "load_config",
    "read",
]
