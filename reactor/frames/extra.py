"""What comes with the `replay` extra, and what to do where it is missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from reactor.errors import ReactorError

INSTALLED = '"reactor-engine[replay]"'


class MissingExtraError(ReactorError, ImportError):
    """A part of the package needs a library that is not installed."""


def need(library: str, purpose: str, package: str = INSTALLED) -> ModuleType:
    """Import a library that not everybody needs when it is first needed.

    purpose: what needs it, as the start of a sentence. package: what to install; default the
        `replay` extra.
    Raises MissingExtraError, which says how to install it.

    >>> need("json", "reading JSON").__name__
    'json'
    """
    try:
        return importlib.import_module(library)
    except ImportError:
        pass
    raise MissingExtraError(f"{purpose} needs {library.partition('.')[0]}: pip install {package}")
