"""Who an event is about: stitching keys, profiles, merges, rids, and the log of changes."""

from reactor.identity.forest import Identity
from reactor.identity.layout import (
    ABSORBED,
    BATCH_TIME,
    CREATED,
    KEYS,
    NEWEST,
    RID,
    Identifier,
    Profile,
    Stitched,
    identifiers,
    is_at_rest,
)
from reactor.identity.log import Row
from reactor.identity.rid import format_rid, parse_rid
from reactor.identity.validate import MISNAMED, NULL, Failure, KeyRule

__all__ = (
    "ABSORBED",
    "BATCH_TIME",
    "CREATED",
    "KEYS",
    "MISNAMED",
    "NEWEST",
    "NULL",
    "RID",
    "Failure",
    "Identifier",
    "Identity",
    "KeyRule",
    "Profile",
    "Row",
    "Stitched",
    "format_rid",
    "identifiers",
    "is_at_rest",
    "parse_rid",
)
