"""What can go wrong with a gateway itself."""

from __future__ import annotations

from reactor.errors import ReactorError


class GatewayError(ReactorError):
    """The gateway can't start, or can't go on; the text says what to do."""
