"""Names with markup and formulas, which the database would refuse, are text in every page and file all the same."""

import csv
import html
import io
import re
from collections.abc import Iterator

import pytest

from ingest.console.routes import PAGES
from tests.support import cluster
from tests.support.console import Console, Visitor

MARKUP = "\"><script>alert('x')</script><img src=x>"
FORMULA = "=HYPERLINK(1)"
_CHECKS = """
SELECT format('ALTER TABLE nocontent.%I DROP CONSTRAINT %I', relname, conname) FROM pg_constraint
JOIN pg_class ON pg_class.oid = conrelid WHERE contype = 'c' AND relname IN ('people', 'tenants', 'vocabulary')
"""
_CSV = re.compile(r'href="([^"]*[?&amp;]csv=[^"]*)"')
GETS = [page for page in PAGES if page.method == "GET" and "owner" in page.roles and "{" not in page.path]


@pytest.fixture(scope="module")
def owner(running: Console) -> Iterator[Visitor]:
    """Yield the owner of a tenant in which every name is markup or a formula."""
    for (statement,) in cluster.fetch(running.dsn, _CHECKS):
        cluster.run(running.dsn, statement)
    visitor = running.stranger()
    visitor.sign_in("acme", "owner@example.com")
    cluster.fetch(running.dsn, "UPDATE people SET name = $1 WHERE role <> 'admin'", MARKUP)
    cluster.fetch(running.dsn, "UPDATE people SET name = $1 WHERE role = 'admin'", FORMULA)
    cluster.fetch(running.dsn, "UPDATE tenants SET name = $1 WHERE name = 'acme'", MARKUP)
    cluster.fetch(running.dsn, "UPDATE vocabulary SET term = $1 || term_id WHERE tenant_id > 0 AND kind = 4", MARKUP)
    cluster.fetch(running.dsn, "UPDATE vocabulary SET term = $1 || term_id WHERE tenant_id > 0 AND kind = 5", FORMULA)
    yield visitor
    visitor.close()


@pytest.mark.parametrize("page", GETS, ids=lambda page: page.name)
def test_no_name_is_markup(page: object, owner: Visitor) -> None:
    path = str(getattr(page, "path", ""))
    answer = owner.get(path)
    assert answer.status in {200, 303}
    body = answer.body.decode()
    assert "<script>alert" not in body
    assert "<img src=x" not in body
    for link in _CSV.findall(body):
        downloaded = owner.get(html.unescape(link))
        assert downloaded.headers["content-type"] == "text/csv; charset=utf-8"
        for row in csv.reader(io.StringIO(downloaded.body.decode())):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@"))]


def test_the_names_are_on_the_pages(owner: Visitor) -> None:
    """Otherwise the test above would see nothing."""
    assert MARKUP in html.unescape(owner.get("/account").body.decode())
