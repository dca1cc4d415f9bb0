"""The engine behind HTTP: the Personalization API, served.

An optional part: `pip install "reactor-engine[gateway]"`. Nothing below imports it.
"""

from reactor.gateway.errors import GatewayError
from reactor.gateway.settings import Settings, load_settings

__all__ = ("GatewayError", "Settings", "load_settings")
