"""The OpenAPI description of what is served: the vendor's paths, and what operates the gateway."""

from __future__ import annotations

from typing import Any, Final

from reactor.gateway.checks import MEDIA_TYPE, REFUSALS, Refusal

_SERVER: Final = (401, 404, 415, 429, 500, 3000, 3001, 3002, 3003, 3004, 3005)
_PUBLIC: Final = (401, 404, 415, 429, 500, 3000, 3001, 3002, 3003, 3004, 3006, 3007)
_RECORDS: Final = (401, 404, 415, 429, 500, 3001, 3002, 3003, 3004, 3005, 3007)
_BATCH: Final = (401, 404, 415, 429, 500, 3000, 3001, 3002, 3003, 3004, 3005, 3006)
_NAME: Final = {"type": "string", "pattern": "^[0-9a-z_]{3,128}$"}

_EVENT: Final = {
    "type": "object",
    "description": "One fact about a customer: identifiers, and any other columns.",
    "additionalProperties": True,
    "properties": {
        "time": {
            "description": "Whole epoch seconds, 1970 to 9999; absent or null: when it is received.",
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": 253402300799,
        },
        "uuid": {"description": "Sent again within the window, it is answered and not applied again."},
    },
}
_OFFER: Final = {
    "description": "A matching section's offer; `{}` where a public token may not see it.",
    "type": "object",
    "properties": {
        "attributes": {"type": "object", "additionalProperties": True},
        "batch_segments": {
            "type": ["array", "null"],
            "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
        },
    },
    "additionalProperties": False,
}
_SCHEMAS: Final[dict[str, Any]] = {
    "Event": _EVENT,
    "Offers": {
        "type": "object",
        "required": ["offers"],
        "properties": {"offers": {"type": "object", "additionalProperties": _OFFER}},
        "additionalProperties": False,
    },
    "Error": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": "integer", "format": "int32"},
            "message": {"type": "string", "enum": sorted({each.message for each in REFUSALS})},
        },
    },
    "Receipts": {
        "type": "object",
        "required": ["receipts"],
        "properties": {
            "receipts": {
                "type": "array",
                "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
            }
        },
    },
    "Report": {
        "type": "object",
        "required": ["rows", "refused", "matched", "waiting", "unusable", "missing", "ignored", "undated"],
        "properties": {
            **{name: {"type": "integer"} for name in ("rows", "refused", "matched", "waiting", "undated")},
            "unusable": {"type": "object", "additionalProperties": {"type": "integer"}},
            **{name: {"type": "array", "items": {"type": "string"}} for name in ("missing", "ignored")},
        },
    },
    "Health": {
        "type": "object",
        "required": ["status", "journal", "entry"],
        "properties": {
            "status": {"type": "string", "enum": ["ok", "starting", "failing", "draining"]},
            "journal": {"type": "boolean"},
            "entry": {"type": "integer"},
        },
    },
}
_EVENTS: Final = {
    "oneOf": [
        {"type": "array", "minItems": 1, "maxItems": 500, "items": {"$ref": "#/components/schemas/Event"}},
        {"$ref": "#/components/schemas/Event"},
    ]
}
_ROWS: Final = {"type": "array", "items": {"type": "object", "additionalProperties": True}}


def openapi() -> dict[str, Any]:
    """Return the description, OpenAPI 3.1.

    >>> sorted(openapi()["paths"])[:3]
    ['/_batch', '/healthz', '/metrics']
    """
    event, offers = {"$ref": "#/components/schemas/Event"}, "Offers"
    table = "/{database}/{table}"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Personalization API",
            "version": "1",
            "description": "Sends an event, and answers the offers that match the profile it updates.",
        },
        "paths": {
            table: {"post": _operation("Offers for a server", event, offers, _SERVER)},
            "/public" + table: {"post": _operation("Offers for a browser", event, offers, _PUBLIC)},
            "/records" + table: {
                "post": {
                    **_operation("Store events", _EVENTS, "Receipts", _RECORDS),
                    "security": [{"ApiKey": []}],
                }
            },
            "/_batch": {"post": _operation("Load batch rows", _ROWS, "Report", _BATCH, named=False)},
            "/healthz": {"get": _health()},
            "/metrics": {"get": _metrics()},
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "ApiKey": {"type": "apiKey", "in": "header", "name": "Authorization"},
                "Token": {"type": "apiKey", "in": "header", "name": "WP13n-Token"},
            },
        },
        "security": [{"ApiKey": [], "Token": []}],
    }


def _operation(
    summary: str, body: dict[str, Any], answer: str, codes: tuple[int, ...], *, named: bool = True
) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _NAME} for name in ("database", "table")
    ]
    by_status: dict[int, list[Refusal]] = {}
    for refusal in REFUSALS:
        if refusal.code in codes or refusal.status in codes:
            by_status.setdefault(refusal.status, []).append(refusal)
    responses = {"200": _answer("Done.", answer)}
    for status, refusals in sorted(by_status.items()):
        text = "; ".join(f"{each.code}: {each.message}" for each in refusals)
        responses[str(status)] = _answer(text, "Error")
    return {
        "summary": summary,
        "parameters": parameters if named else [],
        "requestBody": {"required": True, "content": {MEDIA_TYPE.decode(): {"schema": body}}},
        "responses": responses,
    }


def _answer(text: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": text, "content": content}


def _health() -> dict[str, Any]:
    responses = {"200": _answer("Ready.", "Health"), "503": _answer("Not ready.", "Health")}
    return {"summary": "Whether it is ready", "security": [], "responses": responses}


def _metrics() -> dict[str, Any]:
    found = {
        "description": "Figures for Prometheus.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    hidden = {"description": "Not for this address.", "content": {"application/json": {}}}
    return {"summary": "Figures", "security": [], "responses": {"200": found, "404": hidden}}
