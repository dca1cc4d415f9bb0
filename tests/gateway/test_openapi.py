"""The OpenAPI description against the running server: no 500, nothing that it does not describe."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from running import KEY, ORIGIN, PRIVATE, PUBLIC, Running, running
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from reactor.gateway.openapi import openapi

EXAMPLES = int(os.environ.get("REACTOR_EXAMPLES", "6"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    positive_data_acceptance,
]


@pytest.fixture(scope="module")
def described() -> Iterator[Running]:
    """Give a server of its own: generated batch rows replace what other tests load."""
    with running() as server:
        yield server


schema = schemathesis.openapi.from_dict(openapi())


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,  # for each operation and phase
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_the_server_is_as_described(case: schemathesis.Case, described: Running) -> None:
    """With the right headers every described request is answered as described; any other is refused."""
    is_public = case.path.startswith("/public/")
    headers = {"Authorization": KEY, "WP13n-Token": PUBLIC if is_public else PRIVATE}
    if is_public:
        headers["Origin"] = ORIGIN
    case.call_and_validate(base_url=f"http://127.0.0.1:{described.port}", headers=headers, checks=CHECKS)


def test_the_page_is_the_description() -> None:
    """`reactor schema openapi` writes it; what is in the docs is what is served."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
    assert openapi() == json.loads(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("door", ["server", "public"])
def test_every_refusal_is_described(door: str) -> None:
    """The texts of the codes stand in the description."""
    path = "/{database}/{table}" if door == "server" else "/public/{database}/{table}"
    responses = openapi()["paths"][path]["post"]["responses"]
    assert {"200", "400", "401", "404", "415", "429", "500"} == set(responses)
    assert "2003" in responses["429"]["description"]
