"""One server for all tests that leave nothing behind in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from running import GATEWAY, Running, running

from reactor.gateway.settings import Settings, load_settings


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    """Give a server without a journal; customer 500 is gold."""
    with running() as server:
        rows = [{"customer_id": "500", "tier": "gold", "segments": ["1001"]}]
        assert server.post(rows, "/_batch").status == 200
        yield server


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Give the settings of the gateway file that the tests share."""
    return load_settings(GATEWAY, environ={})
