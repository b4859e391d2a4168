"""The pages Refusals and Arrivals, after a real service has refused and stored: counts and advice, never a value."""

import csv
import io
import re
from collections.abc import Iterator

import pytest

from ingest.reports import advice
from ingest.store import tenants, tokens
from ingest.store.connections import Connection
from ingest.store.traffic import OTHER, PROBLEMS
from schema.rules import RULES
from tests.support import customers, sample, service
from tests.support.console import Console, Visitor, text
from tests.support.wire import Answer, Sender

CANARY = "CANARY-REFUSED what the caller wrote"
STREAM = sample.uuid7()


def _send(sender: Sender) -> None:
    ours = {"User-Agent": "nocontent-reporter/1.2.3"}
    for sequence in (1, 2, 6):
        stream = sample.stream(sequence, STREAM)
        body = sample.body(sample.event(), stream=stream, dropped={"queue_full": 5})
        assert sender.post(body, ours).status == 200
    assert sender.post(sample.body(sample.event(prompt=CANARY))).rules == ["content.prompt"]
    for _ in range(3):
        assert sender.post(sample.body(sample.event(routed_model="canary-model"))).rules == ["vocabulary.unknown-model"]


async def _token(control: Connection) -> str:
    return await tokens.issue(control, await tenants.find(control, "acme"), tokens.SCOPES_DEFAULT, None)


@pytest.fixture(scope="module")
def told(running: Console, tmp_path_factory: pytest.TempPathFactory) -> Console:
    """Return the console, after a service has stored and refused requests of acme."""
    token = customers.act(running.dsn, _token)
    log = tmp_path_factory.mktemp("serve") / "serve.log"
    with service.serving(running.dsn, log, workers=1) as server:
        sender = server.sender(token)
        _send(sender)
        sender.close()
    return running


@pytest.fixture(scope="module")
def analyst(told: Console) -> Iterator[Visitor]:
    with told.visitor("analyst") as visitor:
        yield visitor


def _rows(answer: Answer) -> list[dict[str, str]]:
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.body.decode())))


def test_refusals_are_shown_by_cause_with_what_to_do(analyst: Visitor) -> None:
    page = text(analyst.get("/refusals"))
    assert "vocabulary.unknown-model 3 0 POST /v1/events" in page
    assert RULES["content.prompt"].says in page
    assert "Requests refused 4 57.1 % of 7" in page
    rows = _rows(analyst.get("/refusals?csv=causes"))
    assert [(row["cause"], row["requests"]) for row in rows] == [
        ("vocabulary.unknown-model", "3"), ("content.prompt", "1"),
    ]  # fmt: skip


def test_a_cause_has_its_fields_and_leads_to_the_page_that_helps(analyst: Visitor) -> None:
    answer = analyst.get("/refusals/vocabulary.unknown-model")
    page = text(answer)
    assert "POST /v1/events routed_model 3 0" in page
    assert "Register it if it is one of yours" in page
    assert b'href="/vocabulary"' in answer.body
    assert analyst.get("/refusals/content.nothing-such").status == 404


def test_every_cause_has_a_page_with_advice(analyst: Visitor) -> None:
    for cause in (*RULES, *PROBLEMS, OTHER):
        known = advice.of(cause)
        assert known is not None
        assert known.do.endswith((".", "FILE")), cause
    assert "Nothing was refused for this" in text(analyst.get("/refusals/secret.openai-key"))


def test_arrivals_are_shown_by_token_and_stream(analyst: Visitor) -> None:
    page = text(analyst.get("/arrivals"))
    assert re.search(r"sends 7 4 3 POST /v1/events 1\.2\.3 agrees", page)
    assert re.search(rf"{STREAM} [0-9: -]+ 3 3 0 3 15", page)
    (losses,) = _rows(analyst.get("/arrivals?csv=losses"))
    assert losses == {
        "stream": STREAM, "queue_full": "15", "retries_exhausted": "0", "refused": "0", "shutdown": "0",
    }  # fmt: skip


def test_a_stream_has_its_gaps(analyst: Visitor) -> None:
    page = text(analyst.get(f"/arrivals/{STREAM}"))
    assert "Missing batches 3" in page
    (gap,) = _rows(analyst.get(f"/arrivals/{STREAM}?csv=gaps"))
    assert (gap["first"], gap["last"], gap["batches"]) == ("3", "5", "3")
    for unknown in (sample.uuid7(), STREAM.upper(), "1", "%00"):
        assert analyst.get(f"/arrivals/{unknown}").status in {400, 404}


def test_no_page_and_no_file_has_a_value(analyst: Visitor) -> None:
    paths = ["/refusals", "/refusals/content.prompt", "/arrivals", f"/arrivals/{STREAM}"]
    files = [f"/refusals?csv={name}" for name in ("causes", "days")] + ["/arrivals?csv=tokens", "/arrivals?csv=streams"]
    for path in (*paths, *files):
        assert b"canary" not in analyst.get(path).body.lower()


def test_another_tenant_sees_none_of_it(told: Console) -> None:
    with told.visitor("owner", "globex") as other:
        assert "Nothing was refused" in text(other.get("/refusals"))
        page = text(other.get("/arrivals"))
        assert STREAM not in page
        assert "1.2.3" not in page
        assert other.get(f"/arrivals/{STREAM}").status == 404


def test_days_are_of_a_closed_list(analyst: Visitor) -> None:
    for days in (1, 7, 30, 90):
        assert analyst.get(f"/refusals?days={days}").status == analyst.get(f"/arrivals?days={days}").status == 200
    for other in ("0", "8", "-1", "1e9", "", "7;"):
        assert analyst.get(f"/refusals?days={other}").status == 400
