"""The audit in the console: one tenant's acts, page by page, with no value that was refused."""

import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from ingest.store.audit_reads import PAGE_LINES_MAX
from tests.support import cluster
from tests.support.console import Console, Visitor, text

_FILL = """
INSERT INTO audit (tenant_id, act, kind, rule)
SELECT tenant_id, 'vocabulary.learn', 3, 'vocabulary.prose' FROM tenants, generate_series(1, $2) WHERE name = $1
"""
_OLDER = re.compile(r'href="(/audit\?before=[0-9]+[^"]*)">Older')


@pytest.fixture(scope="module")
def auditor(running: Console) -> Iterator[Visitor]:
    cluster.fetch(running.dsn, _FILL, "acme", PAGE_LINES_MAX + 10)
    cluster.fetch(running.dsn, _FILL, "globex", 3)
    with running.visitor("auditor") as visitor:
        yield visitor


def test_pages_have_every_line_once(auditor: Visitor) -> None:
    pages, path = [], "/audit?act=vocabulary.learn"
    while path:
        answer = auditor.get(path)
        pages.append(answer.body.decode().count("vocabulary.prose"))
        older = _OLDER.search(answer.body.decode())
        path = older[1].replace("&amp;", "&") if older else ""
    assert pages == [PAGE_LINES_MAX, 10]


def test_a_file_has_all_lines_and_those_of_one_tenant_alone(auditor: Visitor) -> None:
    lines = auditor.get("/audit?act=vocabulary.learn&csv=audit").body.decode().splitlines()
    assert lines[0] == "at,who,act,on,rule"
    assert len(lines) == PAGE_LINES_MAX + 11
    assert {line.split(",", 1)[1] for line in lines[1:]} == {
        "operator or service,vocabulary.learn,model,vocabulary.prose"
    }


def test_a_line_names_who_and_what(auditor: Visitor, owner: Visitor) -> None:
    owner.post("/vocabulary/register", {"kind": "model", "terms": "acme-router-tiny"})
    line = auditor.get("/audit?act=vocabulary.add&csv=audit").body.decode().splitlines()[1]
    assert line.split(",", 1)[1] == "The owner (owner@example.com),vocabulary.add,model acme-router-tiny,"
    assert "The owner (owner@example.com)" in text(auditor.get("/audit?act=account.sign-in"))


def test_nobody_acts_under_another_name(auditor: Visitor, running: Console) -> None:
    """People choose their names themselves."""
    for name in ("operator or service", "The owner"):
        with running.visitor("analyst") as analyst:
            assert analyst.post("/account", {"name": name, "time_zone": "UTC"}).status == HTTPStatus.SEE_OTHER
        line = auditor.get("/audit?act=account.set-details&csv=audit").body.decode().splitlines()[1]
        assert line.split(",", 1)[1] == f"{name} (analyst@example.com),account.set-details,,"


@pytest.mark.parametrize("query", ["act=content", "before=x", "before=-1", "before=9999999999999999999"])
def test_a_question_that_no_link_asks_is_refused(query: str, auditor: Visitor) -> None:
    assert auditor.get(f"/audit?{query}").status == HTTPStatus.BAD_REQUEST
