"""The gateway file: every problem at once, with its place, in the vendor's words where it has some."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from running import GATEWAY

from reactor import ConfigError
from reactor.gateway import raw
from reactor.gateway.settings import load_settings

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "gateway.md"


def problems(changes: dict[str, Any], environ: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """Return what is wrong with the shared gateway file after changes: (path, message)."""
    with pytest.raises(ConfigError) as error:
        load_settings({**copy.deepcopy(GATEWAY), **changes}, environ=environ or {})
    return [(problem.path, problem.message) for problem in error.value.problems]


def service(**more: Any) -> dict[str, Any]:
    """Return a service with one token."""
    return {"name": "s", "tokens": [{"name": "t", "value": "v"}], **more}


CASES: tuple[tuple[list[dict[str, Any]], str, str], ...] = (
    ([service(), service(name="S", tokens=[])], "services[1].name", "Name has already been taken"),
    ([service(name="x" * 101)], "services[0].name", "Name is too long (maximum is 100 characters)"),
    ([service(name="  ")], "services[0].name", "Name can't be blank"),
    (
        [service(public=True, tokens=[{"name": "t", "value": "v", "allowed_ips": ["10.0.0.1"]}])],
        "services[0].tokens[0].allowed_ips",
        "Allowed ips must not be set when the parent service is public",
    ),
    (
        [service(tokens=[{"name": "t", "value": "a"}, {"name": "t", "value": "b"}])],
        "services[0].tokens[1].name",
        "Name has already been taken",
    ),
    (
        [service(tokens=[{"name": f"t{n}", "value": f"v{n}"} for n in range(51)])],
        "services[0].tokens",
        "expected at most 50 tokens in a service, got 51",
    ),
    (
        [
            service(name=f"s{s}", tokens=[{"name": f"t{n}", "value": f"v{s}-{n}"} for n in range(50)])
            for s in range(5)
        ],
        "services",
        "expected at most 200 tokens in all, got 250",
    ),
    (
        [service(), service(name="other")],
        "services[1].tokens[0].value",
        "expected a value of its own, got that of another token",
    ),
    (
        [service(origins=["https://a.example"])],
        "services[0].origins",
        "expected none: browsers use public services only",
    ),
    (
        [service(public=True, origins=["https://a.example/"])],
        "services[0].origins[0]",
        'expected an origin such as "https://shop.example", got "https://a.example/"',
    ),
    (
        [service(tokens=[{"name": "t", "value": "v", "allowed_ips": ["10.0.0.1/8"]}])],
        "services[0].tokens[0].allowed_ips[0]",
        'expected an address or a range such as 10.0.0.0/8, got "10.0.0.1/8"',
    ),
    ([{"tokens": []}], "services[0]", 'missing "name": expected text'),
)


@pytest.mark.parametrize(("services", "path", "message"), CASES)
def test_services(services: list[dict[str, Any]], path: str, message: str) -> None:
    assert [(path, message)] == problems({"services": services})


def test_secrets() -> None:
    """From the environment; never in a message, whatever is wrong with them."""
    changes = {"services": [service(tokens=[{"name": "t", "value": "${TOKEN}"}])]}
    assert problems(changes) == [("services[0].tokens[0].value", 'the environment has no variable "TOKEN"')]
    settings = load_settings({**GATEWAY, **changes}, environ={"TOKEN": "from-the-environment"})
    assert settings.services[0].tokens[0].value == b"from-the-environment"
    for value in ("with space", "with/slash", "schlüssel", "", 12345):
        for changes in (
            {"services": [service(tokens=[{"name": "t", "value": value}])]},
            {"api_keys": [value]} if value != "with/slash" else {"api_keys": ["a b/c"]},
        ):
            for _, message in problems(changes):
                assert not value or str(value) not in message


def test_every_problem_at_once() -> None:
    changes = {"listen": "8080", "limits": {"queue": 0, "patience": "soon"}, "journl": "none", "api_keys": []}
    found = dict(problems(changes))
    assert set(found) == {"listen", "limits.queue", "limits.patience", "journl", "api_keys"}


def test_an_api_keys_account() -> None:
    """The number before the slash; what `account` says; the gateway's own where there is none."""
    keys = ["7/a", {"value": "8/b", "account": 9}, "plain"]
    settings = load_settings({**GATEWAY, "api_keys": keys}, environ={})
    assert [7, 9, 12345] == [key.account for key in settings.api_keys]
    assert "plain" not in repr(settings.api_keys)


def test_a_file_and_its_paths(tmp_path: Path) -> None:
    """Paths are relative to the file; problems have lines."""
    (tmp_path / "reactor.yaml").write_text("version: 1\nname: shop\nidentity: {keys: [id]}\n")
    file = tmp_path / "gateway.yaml"
    text = "version: 1\nconfig: reactor.yaml\naccount: 1\ninstance: 2\napi_keys: [1/k]\nservices: []\n"
    file.write_text(text)
    settings = load_settings(file, environ={})
    assert settings.journal is not None
    assert settings.journal.path == tmp_path / "gateway.journal"
    file.write_text(text + "listen: nowhere\n")
    with pytest.raises(ConfigError, match=r"gateway\.yaml:7:9: listen: expected an address"):
        load_settings(file, environ={})


def test_the_page_names_every_key() -> None:
    """The reference lists every key of the file."""
    page = DOCS.read_text(encoding="utf-8")
    structs = (raw.Gateway, raw.Service, raw.Token, raw.Journal, raw.Limits, raw.Tls)
    names = {field.name for struct in structs for field in msgspec.structs.fields(struct)}
    assert {name for name in names if f"`{name}`" not in page and f"{name}" not in page} == set()
