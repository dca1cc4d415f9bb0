"""Asks with a million distinct bad tokens, and prints how many more blocks of memory are held then.

python tests/gateway/tokens.py 1000000
"""

from __future__ import annotations

import sys

from running import GATEWAY
from test_security import bad_tokens

from reactor.gateway.settings import load_settings

if __name__ == "__main__":
    tokens = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{tokens} bad tokens: {bad_tokens(load_settings(GATEWAY, environ={}), tokens)} blocks more")
