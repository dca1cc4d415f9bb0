"""The gateway file's model: what may be written, before it is checked as a whole."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from reactor.spec.raw import Count, Description, Duration, Size

Secret: TypeAlias = Annotated[
    str,
    Meta(
        description="A secret; `${NAME}` reads the environment.",
        extra={"expected": 'text such as "${NAME}"', "private": True},
    ),
]
Ips: TypeAlias = Annotated[
    list[str],
    Meta(
        description="Addresses or ranges (CIDR), IPv4 and IPv6.",
        extra={"expected": "a list of addresses or ranges"},
    ),
]
Number: TypeAlias = Annotated[
    int, Meta(ge=0, le=2**53, extra={"expected": "a whole number"}, description="A whole number.")
]


class ApiKey(Struct, forbid_unknown_fields=True):
    """An API key of an account."""

    value: Secret | UnsetType
    account: (
        Annotated[Number, Meta(description="Whose it is; default: what stands before its slash.")] | UnsetType
    ) = UNSET
    description: Description | UnsetType = UNSET


class Token(Struct, forbid_unknown_fields=True):
    """A token of a service."""

    name: str | UnsetType
    value: Annotated[Secret, Meta(description="The third part of the `WP13n-Token` header.")] | UnsetType
    allowed_ips: (
        Annotated[Ips, Meta(description="Who may use it; default: the account's `allowed_ips`.")] | UnsetType
    ) = UNSET
    description: Description | UnsetType = UNSET


class Service(Struct, forbid_unknown_fields=True):
    """A service, public or private, and its tokens."""

    name: str | UnsetType
    public: (
        Annotated[bool, Meta(description="Whether its tokens are for browsers; default false.")] | UnsetType
    ) = UNSET
    origins: (
        Annotated[
            list[str],
            Meta(description='Where a browser\'s page may come from, as `https://shop.example`; `"*"`: any.'),
        ]
        | UnsetType
    ) = UNSET
    tokens: list[Token] | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class Journal(Struct, forbid_unknown_fields=True):
    """Where accepted events are kept."""

    path: (
        Annotated[str, Meta(description="The folder; default: the file's name with `.journal`.")] | UnsetType
    ) = UNSET
    dedupe: (
        Annotated[Duration, Meta(description="How long a `uuid` is remembered; default 15m.")] | UnsetType
    ) = UNSET
    snapshot_every: (
        Annotated[Duration, Meta(description="How often state is saved; default 10m.")] | UnsetType
    ) = UNSET
    snapshot_events: (
        Annotated[Count, Meta(description="Or after so many events; default 100000.")] | UnsetType
    ) = UNSET
    keep: (
        Annotated[bool, Meta(description="Keep what snapshots made superfluous; default false.")] | UnsetType
    ) = UNSET


class Limits(Struct, forbid_unknown_fields=True):
    """Ceilings of the gateway."""

    queue: Annotated[Count, Meta(description="Events that may wait; default 512.")] | UnsetType = UNSET
    requests: Annotated[Count, Meta(description="Requests in progress; default 1024.")] | UnsetType = UNSET
    connections: Annotated[Count, Meta(description="Open connections; default 4096.")] | UnsetType = UNSET
    ingest: Annotated[Size, Meta(description="Body of an ingest request; default 5MB.")] | UnsetType = UNSET
    ingest_events: Annotated[Count, Meta(description="Events in one; default 500.")] | UnsetType = UNSET
    batch: Annotated[Size, Meta(description="Body of a batch request; default 64MB.")] | UnsetType = UNSET
    header: Annotated[Size, Meta(description="Request line and headers; default 32KB.")] | UnsetType = UNSET
    patience: (
        Annotated[Duration, Meta(description="For a request to arrive in full; default 10s.")] | UnsetType
    ) = UNSET
    drain: Annotated[Duration, Meta(description="For requests at shutdown; default 10s.")] | UnsetType = UNSET


class Tls(Struct, forbid_unknown_fields=True):
    """A certificate, for TLS without a proxy."""

    certificate: Annotated[str, Meta(description="PEM file: the certificate and its chain.")] | UnsetType
    key: Annotated[str, Meta(description="PEM file of the private key.")] | UnsetType


class Gateway(Struct, forbid_unknown_fields=True):
    """A gateway file. Top-level keys that start with `x-` are ignored."""

    version: Annotated[Literal[1], Meta(description="Version of this language.")] | UnsetType
    config: Annotated[str, Meta(description="The reactor config, relative to this file.")] | UnsetType
    account: Annotated[Number, Meta(description="First part of a token.")] | UnsetType
    instance: Annotated[Number, Meta(description="Second part of a token.")] | UnsetType
    api_keys: (
        list[
            Annotated[
                Secret | ApiKey,
                Meta(extra={"expected": 'text such as "${NAME}", or a mapping', "private": True}),
            ]
        ]
        | UnsetType
    )
    services: list[Service] | UnsetType
    listen: Annotated[str, Meta(description="Address and port; default `127.0.0.1:8080`.")] | UnsetType = (
        UNSET
    )
    tls: Tls | UnsetType = UNSET
    allowed_ips: Annotated[Ips, Meta(description="The account's whitelist; default: anyone.")] | UnsetType = (
        UNSET
    )
    trusted_proxies: (
        Annotated[Ips, Meta(description="Whose `X-Forwarded-For` is believed; default: nobody's.")]
        | UnsetType
    ) = UNSET
    journal: (
        Annotated[
            Literal["none"] | Journal,
            Meta(
                description="Where events are kept; `none`: nowhere.",
                extra={"expected": '"none" or a mapping'},
            ),
        ]
        | UnsetType
    ) = UNSET
    limits: Limits | UnsetType = UNSET
    inspector: (
        Annotated[
            Literal["private", "open", "none"],
            Meta(
                description="Who sees `/_inspector` and `/metrics`: `private` networks, the default, or all."
            ),
        ]
        | UnsetType
    ) = UNSET
    logs: (
        Annotated[
            Literal["requests", "errors", "none"], Meta(description="What is logged; default `errors`.")
        ]
        | UnsetType
    ) = UNSET
    batch_file: (
        Annotated[str, Meta(description="A file of batch rows, loaded now and whenever it changes.")]
        | UnsetType
    ) = UNSET
    description: Description | UnsetType = UNSET


def gateway_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a gateway file.

    >>> gateway_schema()["title"]
    'reactor gateway'
    """
    schema = msgspec.json.schema(Gateway)
    schema["$defs"]["Gateway"]["patternProperties"] = {"^x-": {}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "reactor gateway", **schema}
