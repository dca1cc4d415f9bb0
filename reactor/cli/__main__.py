"""`python -m reactor.cli`."""

from __future__ import annotations

import sys

from reactor.cli.app import main

sys.exit(main())
