"""The routing table in the console: what each role may, what is refused, and suggestions with their figures."""

from collections.abc import Iterator
from http import HTTPStatus

import pytest

from ingest.knowledge.gateway import REASONS
from ingest.routes import sentences
from tests.support import cluster, routes
from tests.support.console import Console, Visitor, text
from tests.support.routes import Requests

_PATH = "/routes"
_MODE = {"mode": "dry-run", "confidence": "72.5", "concurrency": "0"}
_OPUS, _SONNET, _HAIKU = "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"
_SETTINGS = "SELECT mode, confidence_min, concurrency_max FROM gateway_settings WHERE tenant_id = 1"
_ROUTES = """
SELECT category.term AS category, model.term AS model FROM gateway_routes own
JOIN vocabulary category ON category.tenant_id = 0 AND category.kind = 1 AND category.term_id = own.category_id
JOIN vocabulary model ON model.tenant_id = 0 AND model.kind = 3 AND model.term_id = own.model_id
WHERE own.tenant_id = 1 ORDER BY category.term, place
"""


@pytest.fixture
def emptied(running: Console) -> Iterator[Console]:
    yield running
    for table in ("gateway_settings", "gateway_routes", "gateway_models"):
        cluster.run(running.dsn, f"DELETE FROM {table}")


def _rows(running: Console, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in cluster.fetch(running.dsn, query)]


def _csv(visitor: Visitor, name: str) -> list[str]:
    return visitor.get(f"{_PATH}?csv={name}").body.decode().splitlines()


def test_a_tenant_without_a_table_is_taught_how_to_begin(running: Console) -> None:
    with running.visitor("owner", "globex") as owner:
        page = text(owner.get(_PATH))
    assert "No gateway is set up yet" in page
    assert "issue a token with the scope gateway:use" in page
    assert "There are no routes, and no requests with a category in 30 days." in page


def test_a_table_is_set_shown_and_unset(owner: Visitor, emptied: Console) -> None:
    assert owner.post(f"{_PATH}/mode", _MODE).headers["location"] == f"{_PATH}?notice=route-set"
    assert _rows(emptied, _SETTINGS) == [(1, 725, 0)]
    route = {"category": "debugging", "model": _HAIKU, "fallbacks": f"{_SONNET}, {_OPUS}"}
    assert owner.post(f"{_PATH}/set", route).status == HTTPStatus.SEE_OTHER
    assert owner.post(f"{_PATH}/allow", {"model": _SONNET}).status == HTTPStatus.SEE_OTHER
    page = text(owner.get(f"{_PATH}?notice=route-set"))
    assert "The table is saved." in page
    assert "from 72.5 % on" in page
    assert f"debugging {_HAIKU}, then {_SONNET}, then {_OPUS} model not allowed" in page
    assert owner.post(f"{_PATH}/disallow", {"model": _SONNET}).status == HTTPStatus.SEE_OTHER
    assert f"then {_OPUS} in force" in text(owner.get(_PATH))
    assert _rows(emptied, _ROUTES) == [("debugging", _HAIKU), ("debugging", _SONNET), ("debugging", _OPUS)]
    assert owner.post(f"{_PATH}/unset", {"category": "debugging"}).status == HTTPStatus.SEE_OTHER
    assert _rows(emptied, _ROUTES) == []
    values = cluster.fetch(emptied.dsn, "SELECT term FROM vocabulary WHERE tenant_id = 1 AND kind = 5")
    assert {row["term"] for row in values} >= set(REASONS)
    audit = owner.get("/audit?csv=audit").body.decode()
    assert all(f"route.{act}" in audit for act in ("set-mode", "set", "unset", "allow", "disallow"))


@pytest.mark.parametrize(
    ("act", "form", "says"),
    [
        ("mode", _MODE | {"mode": "sometimes"}, "A mode is off, dry-run or on."),
        ("mode", _MODE | {"mode": ""}, "A mode is off, dry-run or on."),
        ("mode", _MODE | {"confidence": "100.1"}, "from 0 to 100"),
        ("mode", _MODE | {"confidence": "NaN"}, "from 0 to 100"),
        ("mode", _MODE | {"concurrency": "-1"}, "a whole number up to 100,000"),
        ("mode", _MODE | {"concurrency": "100001"}, "a whole number up to 100,000"),
        ("set", {"category": "debugging", "model": "no-such-model"}, "no such category or model"),
        ("set", {"category": "no-such-category", "model": _HAIKU}, "no such category or model"),
        ("set", {"category": "debugging", "fallbacks": _HAIKU}, "no such category or model"),
        ("set", {"category": "debugging", "model": _HAIKU, "fallbacks": _HAIKU}, "each of them once"),
        ("set", {"category": "debugging", "model": _HAIKU, "fallbacks": "gpt-5 " * 900}, "A route has one model"),
        ("unset", {"category": "unknown"}, "no such category or model"),
        ("allow", {"model": ""}, "no such category or model"),
        ("disallow", {"model": "no-such-model"}, "no such category or model"),
    ],
)
def test_what_is_refused_is_said_in_a_sentence(
    act: str, form: dict[str, str], says: str, owner: Visitor, emptied: Console
) -> None:
    answer = owner.post(f"{_PATH}/{act}", form)
    assert (answer.status, says in text(answer)) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    assert b"no-such-" not in answer.body
    assert _rows(emptied, _SETTINGS) == _rows(emptied, _ROUTES) == []


def test_without_an_id_for_the_tag_nothing_is_set(emptied: Console) -> None:
    last = """
    INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)
    VALUES (2, 4, 255, 0, 'the-last', false, 0)
    """
    cluster.run(emptied.dsn, last)
    with emptied.visitor("owner", "globex") as owner:
        refused = owner.post(f"{_PATH}/mode", _MODE)
        assert refused.status == HTTPStatus.UNPROCESSABLE_ENTITY
        assert "There is no id left for the tag routing_reason" in text(refused)
        assert owner.post(f"{_PATH}/mode", _MODE | {"mode": "off"}).status == HTTPStatus.SEE_OTHER
    assert _rows(emptied, "SELECT mode, confidence_min FROM gateway_settings") == [(0, 725)]
    cluster.run(emptied.dsn, "DELETE FROM vocabulary WHERE tenant_id = 2 AND kind = 4 AND term = 'the-last'")


def test_others_read_and_the_table_of_another_tenant_stays(owner: Visitor, emptied: Console) -> None:
    owner.post(f"{_PATH}/set", {"category": "debugging", "model": _HAIKU})
    with emptied.visitor("analyst") as analyst, emptied.visitor("owner", "globex") as other:
        page = text(analyst.get(_PATH))
        assert (f"debugging {_HAIKU}" in page, "Set a route" in page) == (True, False)
        assert "debugging" not in text(other.get(_PATH)).partition("Set a route")[0]
        assert other.post(f"{_PATH}/unset", {"category": "debugging"}).status == HTTPStatus.SEE_OTHER
    assert _rows(emptied, _ROUTES) == [("debugging", _HAIKU)]


def test_a_suggestion_is_shown_with_its_figures_and_taken(owner: Visitor, emptied: Console) -> None:
    owner.post(f"{_PATH}/mode", _MODE)
    routes.store(
        emptied.dsn, 1,
        Requests("translation", _OPUS, _OPUS, 5_000, reason="dry-run"),
        Requests("translation", _OPUS, _HAIKU, 1_000),
        Requests("translation", _OPUS, _SONNET, 150),
    )  # fmt: skip
    page = text(owner.get(_PATH))
    assert f"translation – no route 6,150 {_HAIKU}" in page
    assert f"{_SONNET} it served fewer than 200 requests of this category in 30 days" in page
    assert sentences.HONEST in page
    # 5,000 of Opus and 150 of Sonnet, at 1.75, 1.05 and 0.35 cents each.
    (row,) = [line for line in _csv(owner, "suggestions") if line.startswith("translation")]
    assert row == f"translation,{_OPUS},61.5,{_HAIKU},71.05,1.0"
    assert _csv(owner, "reasons") == ["reason,requests", "dry-run,5000"]
    assert owner.post(f"{_PATH}/set", {"category": "translation", "model": _HAIKU}).status == HTTPStatus.SEE_OTHER
    assert _csv(owner, "dry-runs")[1] == "translation,5000,70,5000"
    assert "Take" not in text(owner.get(_PATH))
