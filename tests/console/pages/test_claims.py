"""/security says what the claims say, each with its tests and their last run, to anybody and without a cookie."""

import html
import re
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import pytest

from ingest.legal import claims, security_txt
from tests.support import console, rfc9116
from tests.support.command import Run
from tests.support.console import Console, text
from tests.support.wire import Answer, Sender

GAUGE = "ingest_security_txt_expires_timestamp_seconds"
DETAILS = """
security_contact = "security{report}@example.com"
attests = ["disks", "incidents"]
"""


@pytest.fixture(scope="module")
def page(running: Console) -> Answer:
    stranger = running.stranger()
    found = stranger.get("/security")
    stranger.close()
    return found


def test_every_sentence_has_its_tests_and_their_last_run(page: Answer) -> None:
    assert page.status == 200
    items = re.findall(r"<li>\s*<p>(.*?)</p>\s*<details>(.*?)</details>", page.body.decode(), re.DOTALL)
    shown = {html.unescape(says): html.unescape(rest) for says, rest in items}
    listed = [claim for section in claims.page().sections for claim in section.claims]
    assert list(shown) == [claim.says for claim in listed]
    for claim in listed:
        run = claims.last_run(claim, claims.runs())
        assert re.findall(r"<li><code>(.*?)</code></li>", shown[claim.says]) == list(claim.tests)
        if run is None:
            assert "No run is recorded yet" in shown[claim.says]
        else:
            assert f"all passed {run.at.date()} at <code>{run.commit[:12]}</code>" in shown[claim.says]


def test_the_page_claims_nothing_beside_the_claims(page: Answer) -> None:
    """Each paragraph is a claim, an attestation, or one of three that say how to read the page."""
    known = {claim.says for section in claims.page().sections for claim in section.claims}
    known |= {one.says for one in claims.page().attestations}
    paragraphs = [html.unescape(each) for each in re.findall(r"<p>([^<]*)</p>", page.body.decode())]
    assert len([each for each in paragraphs if each not in known]) == 2


def test_what_the_operator_does_not_attest_is_said_to_be_not_attested(page: Answer) -> None:
    assert text(page).count("not attested") == len(claims.page().attestations)
    assert "attested by the operator" not in text(page)


def test_nobody_is_asked_for_a_cookie(page: Answer) -> None:
    assert "set-cookie" not in page.headers


@pytest.fixture(scope="module")
def details(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of an operator whose contact has signs that a URI does not."""
    path = tmp_path_factory.mktemp("legal") / "legal.toml"
    path.write_text(DETAILS, "utf-8")
    return path


@pytest.fixture(scope="module")
def named(running: Console, details: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console.serving(running.dsn, tmp_path_factory.mktemp("named"), legal_file=details) as other:
        yield other


def _get(running: Console, path: str) -> Answer:
    with closing(running.stranger()) as stranger:
        return stranger.get(path)


def _expiry(running: Console) -> float:
    with closing(Sender(running.metrics_bind)) as sender:
        lines = sender.get("/metrics").body.decode().splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(GAUGE)))


def test_what_the_operator_attests_is_said_to_be(named: Console) -> None:
    items = re.findall(
        r"<li><p>([^<]*)</p><p><span class=\"badge[^>]*>([^<]*)<", _get(named, "/security").body.decode()
    )
    expected = {
        one.says: "attested by the operator" if one.id in {"disks", "incidents"} else "not attested"
        for one in claims.page().attestations
    }
    assert {html.unescape(says): badge for says, badge in items} == expected


def test_an_unknown_attestation_stops_the_start(run: Run, details: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = details.with_name("other.toml")
    other.write_text('attests = ["everything"]\n', "utf-8")
    monkeypatch.setenv("NOCONTENT_LEGAL_FILE", str(other))
    status, out, err = run("legal check")
    assert (status, out) == (2, "")
    assert "attests lists ids of attestations" in err
    assert "everything" not in err


def test_security_txt_is_served_and_watched(
    named: Console, run: Run, details: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = _get(named, "/.well-known/security.txt")
    assert (answer.status, answer.headers["content-type"]) == (HTTPStatus.OK, "text/plain; charset=utf-8")
    assert "set-cookie" not in answer.headers
    read = rfc9116.read(answer.body)
    assert read.all("contact") == ["mailto:security%7Breport%7D@example.com"]
    assert read.expires == security_txt.expires_at()
    assert _expiry(named) == security_txt.expires_at().timestamp()
    monkeypatch.setenv("NOCONTENT_LEGAL_FILE", str(details))
    monkeypatch.setenv("NOCONTENT_CONSOLE_URL", named.origin)
    assert run("legal security-txt") == (0, answer.body.decode(), "")


def test_without_a_contact_there_is_no_security_txt(running: Console, run: Run) -> None:
    assert _get(running, "/.well-known/security.txt").status == HTTPStatus.NOT_FOUND
    assert _expiry(running) == 0
    status, out, err = run("legal security-txt")
    assert (status, out) == (2, "")
    assert "names no security_contact" in err
