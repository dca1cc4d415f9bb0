"""What can be run over retail-v1: the engine by each of its doors, and the loop by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from handwritten import handwritten

Chunk = list[tuple[str, Any]]
Call = Callable[[Any, str], object]


class Contender(msgspec.Struct, frozen=True):
    """`call` makes a call of one event on new state; `make` a loop over a chunk, without extra calls."""

    call: Callable[[Mapping[str, Any], list[dict[str, Any]]], Call]
    make: Callable[[Mapping[str, Any], list[dict[str, Any]]], Callable[[Chunk], None]]
    takes_bytes: bool = False


def _engine(config: Mapping[str, Any], batch: list[dict[str, Any]]) -> Any:
    from reactor import Reactor  # here: the loop by hand does without it

    engine = Reactor(config)
    engine.import_batch(batch)
    return engine


def _engine_call(config: Mapping[str, Any], batch: list[dict[str, Any]]) -> Call:
    process = _engine(config, batch).process
    return lambda event, table: process(event, table=table)


def _engine_run(config: Mapping[str, Any], batch: list[dict[str, Any]]) -> Callable[[Chunk], None]:
    process = _engine(config, batch).process

    def run(chunk: Chunk) -> None:
        for table, event in chunk:
            process(event, table=table)

    return run


def _door_call(config: Mapping[str, Any], batch: list[dict[str, Any]]) -> Call:
    process_json = _engine(config, batch).process_json
    return lambda body, table: process_json(body, table=table)


def _door_run(config: Mapping[str, Any], batch: list[dict[str, Any]]) -> Callable[[Chunk], None]:
    process_json = _engine(config, batch).process_json

    def run(chunk: Chunk) -> None:
        for table, body in chunk:
            process_json(body, table=table)

    return run


def _loop_call(config: Mapping[str, Any], batch: list[dict[str, Any]]) -> Call:
    return handwritten(batch, config["identity"]["secret"])


def _loop_run(config: Mapping[str, Any], batch: list[dict[str, Any]]) -> Callable[[Chunk], None]:
    process = handwritten(batch, config["identity"]["secret"])

    def run(chunk: Chunk) -> None:
        for table, event in chunk:
            process(event, table)

    return run


CONTENDERS = {
    "engine": Contender(_engine_call, _engine_run),
    "door": Contender(_door_call, _door_run, takes_bytes=True),
    "handwritten": Contender(_loop_call, _loop_run),
}
