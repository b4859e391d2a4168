"""Legal pages and agreements of a running console, whose operator has details that would be markup anywhere else."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urldefrag
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

from ingest.accounts.sessions import COOKIE_NAME
from ingest.console.agreements import due
from ingest.console.pages import legal
from ingest.console.security import PAGE_HEADERS
from ingest.legal import documents, facts
from ingest.legal.library import Library
from ingest.store.acceptances import Acceptance, DocumentId
from tests.support import cluster, console, links, markup, service
from tests.support.cluster import Cluster
from tests.support.console import Console, Visitor, text

_COMPANY = '<script>alert("x")</script> & </p> GmbH'
_FILE = f"""\
company = '{_COMPANY}'
address = "1 Example Street [a](javascript:x)"
contact = "privacy@example.com"
security_contact = "https://example.com/report"
governing_law = "**Germany**"
"""
_PATHS = [page.path.format(**page.example) for page in legal.PUBLIC]


@pytest.fixture(scope="module")
def running(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    dsn, folder = postgres.migrated(), tmp_path_factory.mktemp("legal")
    console.furnish(dsn)
    file = folder / "legal.toml"
    file.write_text(_FILE, "utf-8")
    with console.serving(dsn, folder, legal_file=file) as made:
        yield made
    postgres.drop(dsn)


@pytest.fixture(scope="module")
def stranger(running: Console) -> Iterator[Visitor]:
    visitor = running.stranger()
    yield visitor
    visitor.close()


@pytest.mark.parametrize("path", _PATHS)
def test_a_legal_page_sets_and_reads_no_cookie_and_may_be_cached(stranger: Visitor, path: str) -> None:
    answer = stranger.get(path)
    with_cookie = stranger.get(path, {"Cookie": f"{COOKIE_NAME}=planted; other=planted"})
    assert answer.status == with_cookie.status == 200
    assert answer.body == with_cookie.body
    for each in (answer, with_cookie):
        assert "set-cookie" not in each.headers
        assert "vary" not in each.headers
        assert each.headers["cache-control"] == "public, max-age=300"
    headers = {name.decode(): value.decode() for name, value in PAGE_HEADERS if name != b"cache-control"}
    assert {name: answer.headers[name] for name in headers} == headers
    assert stranger.request("HEAD", path, None).status == 200
    assert stranger.submit(path, {}).status == 405


@pytest.mark.parametrize("path", _PATHS)
def test_a_detail_of_the_operator_is_text_on_every_page(stranger: Visitor, path: str) -> None:
    answer = stranger.get(path)
    body = answer.body.decode()
    if answer.headers["content-type"].startswith("text/html"):
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", body)
        assert not any("javascript:" in link for link in markup.of_html(body).links)
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", body)
    elif path.endswith(".atom"):
        assert ET.fromstring(body).findall("{*}author/{*}name")[0].text == _COMPANY


def test_the_policy_names_the_operator(stranger: Visitor) -> None:
    page = markup.of_html(stranger.get("/legal/privacy").body.decode())
    assert _COMPANY in page.text
    assert "not set by the operator" not in page.text
    assert "**Germany**" in markup.of_html(stranger.get("/legal/terms").body.decode()).text


def test_every_link_of_the_public_pages_leads_somewhere(stranger: Visitor) -> None:
    waiting, pages = ["/legal"], dict[str, markup.Markup]()
    anchors = set[tuple[str, str, str]]()
    while waiting:
        path = waiting.pop()
        answer = stranger.get(path)
        assert answer.status in {200, 303}, f"{path}: {answer.status}"
        pages[path] = markup.of_html(answer.body.decode() if "html" in answer.headers.get("content-type", "") else "")
        for link in pages[path].links:
            target, anchor = urldefrag(link)
            assert not target or target.startswith("/"), f"{path}: {link}"  # Nowhere else.
            if anchor:
                anchors.add((path, target or path, anchor))
            if target and target not in pages and target not in waiting:
                waiting.append(target)
    assert set(_PATHS) - set(pages) == set()
    assert [each for each in anchors if each[2] not in pages[each[1]].ids] == []
    assert len(anchors) > 1


@pytest.mark.parametrize(
    "path",
    ["/legal/cookies", "/legal/privacy/0", "/legal/privacy/2", "/legal/privacy/01", "/legal/privacy/1/", "/legal/",
     "/legal/privacy/1/x", "/legal/privacy/%00", "/legal/..%2fterms", "/legal/cookies/versions", "/legal/terms/9/text"],
)  # fmt: skip
def test_what_was_not_published_is_not_there(stranger: Visitor, path: str) -> None:
    assert stranger.get(path).status == 404


def test_the_text_has_the_digest_that_the_page_and_an_acceptance_have(stranger: Visitor) -> None:
    shown = stranger.get("/legal/dpa/1/text")
    assert shown.headers["content-type"] == "text/markdown; charset=utf-8"
    assert hashlib.sha256(shown.body).hexdigest() in text(stranger.get("/legal/dpa/1"))


def test_owners_see_a_notice_until_somebody_has_accepted(running: Console) -> None:
    with running.visitor("owner") as owner, running.visitor("admin") as admin, running.visitor("analyst") as analyst:
        for visitor in (owner, admin):
            assert "has not accepted version 1 of the terms of service, version 1 of" in text(visitor.get("/people"))
        assert "has not accepted" not in text(analyst.get("/overview"))
        assert analyst.get("/agreements").status == 404
        digests = {found[0].head.id: found[0].digest.hex() for found in documents.load().values()}
        accepting: tuple[tuple[DocumentId, Visitor], ...] = (("terms", owner), ("privacy", owner), ("dpa", admin))
        for document, visitor in accepting:
            shown = hashlib.sha256(visitor.get(f"/legal/{document}/1/text").body).hexdigest()
            form = {"version": f"{document}/1", "shown": shown}
            assert visitor.post("/agreements", form).headers["location"] == "/agreements?notice=document-accepted"
            assert visitor.post("/agreements", form).status == 303  # It was a second click.
            said = text(visitor.get("/agreements"))
            assert digests[document] in said
            assert shown in said
        for visitor in (owner, admin):
            assert "has not accepted" not in text(visitor.get("/people"))
    rows = cluster.fetch(running.dsn, "SELECT tenant_id, document, version, at FROM acceptances ORDER BY document")
    assert [tuple(row)[:3] for row in rows] == [(1, 1, 1), (1, 2, 1), (1, 3, 1)]
    assert all(abs((datetime.now(UTC) - row["at"]).total_seconds()) < 600 for row in rows)
    with running.visitor("owner", "globex") as other:
        assert "has not accepted" in text(other.get("/overview"))
        assert "Nothing was accepted yet" in text(other.get("/agreements"))


def test_a_text_that_has_changed_meanwhile_is_not_accepted(running: Console) -> None:
    with running.visitor("owner", "globex") as owner:
        answer = owner.post("/agreements", {"version": "terms/1", "shown": "0" * 64})
        assert (answer.status, "has changed since you opened the page" in text(answer)) == (409, True)
        for version in ("terms/2", "cookies/1", "", "terms"):
            assert owner.post("/agreements", {"version": version, "shown": "0" * 64}).status == 404
    assert cluster.fetch(running.dsn, "SELECT FROM acceptances WHERE tenant_id = 2") == []


def test_a_version_that_was_changed_with_its_lock_is_to_be_accepted_again() -> None:
    named = facts.Facts(company="a", address="b", contact="c", security_contact="d", governing_law="e")
    library = Library(named, documents.load(), ())
    now = datetime.now(UTC)
    known = [Acceptance(library.accepted(each), UUID(int=0), None, now) for each in library.to_accept]
    assert due(library, known) == ()
    known[0] = known[0]._replace(accepted=known[0].accepted._replace(digest=bytes(32)))
    assert [each.name for each in due(library, known)] == ["terms/1"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ("documents/privacy/1.md", b"The legal document privacy/1.md was changed after it was published: restore"),
        ("subprocessors.toml", b"stripe was changed after it was published"),
    ],
)
def test_the_console_does_not_start_with_a_changed_version(
    running: Console, tmp_path: Path, changed: str, says: bytes
) -> None:
    for name in ("ingest", "schema"):
        links.copy(service.ROOT / name, tmp_path / name, lambda *_: ["__pycache__"])
    path = tmp_path / "ingest" / "legal" / changed
    content = path.read_bytes()
    path.unlink()  # It is a link.
    path.write_bytes(content.replace(b"payments", b"payment5"))
    done = subprocess.run(
        [sys.executable, "-m", "ingest", "console"], cwd=tmp_path, check=False, capture_output=True,
        timeout=60, env=service.environment(running.dsn),
    )  # fmt: skip
    assert done.returncode == 1
    assert says in done.stderr
