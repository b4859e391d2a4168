"""/security says what the claims say, each with its tests and their last run, to anybody and without a cookie."""

import html
import re

import pytest

from ingest.legal import claims
from tests.support.console import Console, text
from tests.support.wire import Answer


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
