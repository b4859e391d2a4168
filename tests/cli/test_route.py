"""`nocontent route`: the table as an operator changes it, and what a tenant's own requests suggest."""

import json

import pytest

from ingest.routes import sentences
from tests.support import cluster, customers, routes, terminal
from tests.support.customers import CustomerSpec
from tests.support.routes import Requests
from tests.support.terminal import Run

_OPUS, _SONNET, _HAIKU = "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"
_REQUESTS = (
    Requests("summarization", _OPUS, _OPUS, 5_000),
    Requests("summarization", _OPUS, _OPUS, 30, "error"),
    Requests("summarization", _OPUS, _SONNET, 2_000),
    Requests("summarization", _OPUS, _HAIKU, 2_000),
    Requests("summarization", _HAIKU, _HAIKU, 500, "cancelled"),
    Requests("debugging", _OPUS, _OPUS, 5_000),
    Requests("debugging", _OPUS, _SONNET, 1_000, is_slow=True),
    Requests("debugging", _OPUS, _HAIKU, 900),
    Requests("debugging", _OPUS, _HAIKU, 100, "error"),
    Requests("translation", _OPUS, _OPUS, 150),
)


@pytest.fixture(scope="module")
def prepared(postgres: cluster.Cluster) -> str:
    dsn = postgres.migrated()
    made = customers.prepare(dsn, {"acme": CustomerSpec(), "globex": CustomerSpec()})
    routes.store(dsn, made["acme"].tenant_id, *_REQUESTS)
    return dsn


@pytest.fixture
def run(prepared: str, capfd: pytest.CaptureFixture[str]) -> Run:
    return terminal.at(prepared, capfd)


def test_a_table_is_set_listed_and_unset(run: Run) -> None:
    assert run("route", "list", "globex")[1].startswith("mode off, from a confidence of 0.700 on")
    assert run("route", "mode", "globex", "dry-run", "--confidence", "0.85", "--concurrency", "30")[0] == 0
    assert run("route", "set", "globex", "debugging", _HAIKU, "--fallback", _SONNET)[0] == 0
    assert run("route", "set", "globex", "translation", _SONNET)[0] == 0
    assert run("route", "allow", "globex", _HAIKU, _SONNET)[0] == 0
    assert run("route", "disallow", "globex", _HAIKU)[0] == 0
    assert run("route", "disallow", "globex", _HAIKU)[0] == 1
    listed = json.loads(run("route", "list", "globex", "--json")[1])
    assert listed == {
        "mode": "dry-run", "confidence_min": 850, "concurrency_max": 30, "allowed": [_SONNET],
        "routes": [
            {"category": "debugging", "models": [_HAIKU, _SONNET], "obstacle": "not-allowed"},
            {"category": "translation", "models": [_SONNET], "obstacle": None},
        ],
    }  # fmt: skip
    _, said = run("route", "list", "globex")
    assert f"debugging                    {_HAIKU} then {_SONNET}  (not in force: model not allowed)" in said
    assert run("route", "unset", "globex", "debugging")[0] == 0
    assert run("route", "unset", "globex", "debugging")[0] == 1
    assert run("route", "disallow", "globex", _SONNET)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "acme", "debugging", "no-such-model"), "no such category or model"),
        (("set", "acme", "no-such-category", _HAIKU), "no such category or model"),
        (("set", "acme", "unknown", _HAIKU), "no such category or model"),
        (("set", "acme", "debugging", _HAIKU, "--fallback", _HAIKU), "each of them once"),
        (("mode", "acme", "on", "--confidence", "1.001"), "a decimal number from 0 to 1"),
        (("mode", "acme", "on", "--confidence", "NaN"), "a decimal number from 0 to 1"),
        (("mode", "acme", "on", "--concurrency", "100001"), "a whole number up to 100,000"),
        (("explain", "acme", "no-such-category"), "no such category or model"),
        (("list", "nobody"), "no tenant has that name"),
    ],
)
def test_what_is_refused_is_said_without_its_value(arguments: tuple[str, ...], says: str, run: Run) -> None:
    status, said = run("route", *arguments)
    assert (status, says in said) == (2, True), said
    assert "no-such-c" not in said.replace("no such", "")


def test_a_route_to_a_retired_model_is_not_in_force(run: Run) -> None:
    run("vocabulary", "add", "globex", "model", "our-router-small")
    assert run("route", "set", "globex", "email", "our-router-small", "--fallback", _HAIKU)[0] == 0
    assert "in force" not in run("route", "explain", "globex", "email")[1]
    run("vocabulary", "remove", "globex", "model", "our-router-small")
    assert "not in force: category or model retired" in run("route", "explain", "globex", "email")[1]
    assert run("route", "unset", "globex", "email")[0] == 0


def test_a_route_of_a_category_that_no_gateway_names_is_not_in_force(run: Run) -> None:
    assert run("route", "set", "globex", "roleplay", _HAIKU)[0] == 0
    assert (
        "roleplay                     claude-haiku-4-5  (not in force: no gateway names"
        in run("route", "list", "globex")[1]
    )
    assert run("route", "unset", "globex", "roleplay")[0] == 0


def test_suggestions_name_the_cheapest_that_passes_and_say_what_speaks_against_others(run: Run) -> None:
    _, said = run("route", "suggest", "acme")
    assert f"summarization                {_HAIKU} in place of {_OPUS}: saves" in said
    assert (
        f"not {_HAIKU}: more of its requests may fail by 3 points or more: 10.0 % (8.3 to 12.0) of 1,000 against"
        in said
    )
    assert f"not {_SONNET}: its slowest answers (95th percentile) may come a fifth later or more" in said
    assert "translation                  No model served 200 requests" in said
    assert sentences.HONEST in said
    found = {
        each["category"]: each for each in json.loads(run("route", "suggest", "acme", "--json")[1].splitlines()[0])
    }
    assert (found["debugging"]["model"], found["debugging"]["why"]) == (None, "none-passes")
    assert found["debugging"]["against"] == {_HAIKU: "fails-more", _SONNET: "later"}
    # 1,000 tokens of input and 500 of output: 1.75 cents of Opus, 1.05 of Sonnet, 0.35 of Haiku. What was cancelled was
    # paid for, too, but Haiku served it.
    assert (found["summarization"]["saved_usd"], found["summarization"]["covered_requests"]) == ("84.42", 7_030)
    assert found["summarization"]["requests"] == 9_030


def test_an_allowed_model_without_requests_is_explained(run: Run) -> None:
    run("route", "allow", "acme", _OPUS, "claude-3-5-haiku")
    run("route", "set", "acme", "debugging", _OPUS)
    _, said = run("route", "explain", "acme", "debugging")
    assert said.startswith(f"routed to {_OPUS}, in mode off")
    assert "not claude-3-5-haiku: it served fewer than 200 requests of this category in 30 days" in said
    assert f"not {_HAIKU}: it is none of the models that you allow" in said
    assert "no route" in run("route", "explain", "acme", "translation")[1]


def test_a_tenant_without_requests_has_no_suggestion(run: Run) -> None:
    assert "no requests with a task category" in run("route", "suggest", "globex")[1]
