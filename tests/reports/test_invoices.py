"""`GET /v1/invoices`: each tenant reads its own, and JSON, page and PDF agree to the cent."""

import hashlib
import html
import io
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import cast

import pytest
from pypdf import PdfReader

from tests.support import documents, sample, service
from tests.support.customers import Customer
from tests.support.service import Server
from tests.support.wire import Answer, Sender

SenderOf = Callable[[str], Sender]
Names = dict[str, list[str]]


@pytest.fixture(scope="module")
def issued(server: Server, tenants: Mapping[str, Customer]) -> Names:
    """Issue documents to two tenants of one issuer, credit one, and return their names by tenant."""
    first, second = (tenants[name].tenant_id for name in ("accountant", "bookkeeper"))
    names = documents.issue(server.dsn, {first: documents.LINES, second: documents.LINES})
    note = documents.credit(server.dsn, first, names[first])
    return {"accountant": [names[first], note], "bookkeeper": [names[second]]}


def get(sender: Sender, path: str, accept: str = "application/json") -> Answer:
    return sender.get(f"/v1/invoices{path}", {"Accept": accept})


def test_each_tenant_reads_its_own_documents_alone(sender_of: SenderOf, issued: Names) -> None:
    for name, names in issued.items():
        sender = sender_of(name)
        listed = cast("list[dict[str, object]]", get(sender, "").json["invoices"])
        assert [each["number"] for each in listed] == names
        assert [get(sender, f"/{number}").json["number"] for number in names] == names
        others = {number for other, numbers in issued.items() if other != name for number in numbers}
        for number in others:
            for accept in ("application/json", "text/html", "application/pdf"):
                answer = get(sender, f"/{number}", accept)
                assert (answer.status, answer.problem) == (404, "invoice-not-found")


def test_the_list_is_paged(sender_of: SenderOf, issued: Names) -> None:
    sender = sender_of("accountant")
    first = get(sender, "?limit=1").json
    assert first["next"] == issued["accountant"][0]
    second = get(sender, f"?limit=1&cursor={first['next']}").json
    numbers = [each["number"] for page in (first, second) for each in cast("list[dict[str, object]]", page["invoices"])]
    assert (numbers, second["next"]) == (issued["accountant"], None)


def test_a_credit_note_mirrors_its_invoice(sender_of: SenderOf, issued: Names) -> None:
    invoice, note = (get(sender_of("accountant"), f"/{number}").json for number in issued["accountant"])
    assert (invoice["state"], invoice["kind"], note["kind"]) == ("void", "invoice", "credit_note")
    assert note["credits"] == invoice["number"]
    assert cast("int", note["total_cents"]) == -cast("int", invoice["total_cents"])
    lines = cast("list[dict[str, int]]", invoice["lines"])
    assert sum(line["cents"] for line in lines) == invoice["total_cents"]


def _cents(text: str) -> list[int]:
    """Return the amounts of a text at the ends of its lines, in cents."""
    found = re.findall(r"(-?[\d,]+\.\d\d) EUR$", text, re.MULTILINE)
    return [int(amount.replace(",", "").replace(".", "")) for amount in found]


def _expected(document: dict[str, object]) -> list[int]:
    lines = cast("list[dict[str, int]]", document["lines"])
    return [*(line["cents"] for line in lines), cast("int", document["total_cents"])]


@pytest.mark.parametrize("place", [0, 1])
def test_the_pdf_agrees_with_the_json_to_the_cent(sender_of: SenderOf, issued: Names, place: int) -> None:
    sender = sender_of("accountant")
    path = f"/{issued['accountant'][place]}"
    answer = get(sender, path, "application/pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'inline; filename="{issued["accountant"][place]}.pdf"'
    pages = PdfReader(io.BytesIO(answer.body), strict=True).pages
    text = "\n".join(page.extract_text(extraction_mode="layout") for page in pages)
    assert len(pages) > 1
    assert _cents(text) == _expected(get(sender, path).json)
    assert issued["accountant"][place] in text
    assert get(sender, path, "application/pdf").body == answer.body  # The same bytes, each time.


@pytest.mark.parametrize("place", [0, 1])
def test_the_page_agrees_with_the_json_to_the_cent(sender_of: SenderOf, issued: Names, place: int) -> None:
    sender = sender_of("accountant")
    path = f"/{issued['accountant'][place]}"
    answer = get(sender, path, "text/html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    cells = [html.unescape(each) for each in re.findall(r"<td[^>]*>([^<]*)</td>", answer.body.decode())]
    amounts = [_cents(each)[0] for each in cells if re.fullmatch(r"[-\d,.]+ EUR", each)]
    assert amounts == _expected(get(sender, path).json)


def test_the_page_may_do_nothing_but_have_its_own_style(sender_of: SenderOf, issued: Names) -> None:
    answer = get(sender_of("accountant"), f"/{issued['accountant'][0]}", "text/html")
    style = re.search(r"<style>(.*)</style>", answer.body.decode(), re.DOTALL)
    assert style is not None
    hashed = b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[:2] == ["default-src 'none'", f"style-src 'sha256-{hashed}'"]
    assert {"frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'", "sandbox"} <= set(policy)
    assert not re.search(rb"<script|<img|<a |<link|<form|javascript|https?:| on\w+=", answer.body)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("application/pdf;q=0.5, application/json;q=0.4", "application/pdf"),
        ("application/*", "application/json"),
        ("APPLICATION/PDF", "application/pdf"),
        ("application/json;q=0, */*", "text/html; charset=utf-8"),
    ],
)
def test_accept_chooses_the_representation(
    sender_of: SenderOf, issued: Names, accept: str | None, media_type: str
) -> None:
    answer = sender_of("accountant").get(f"/v1/invoices/{issued['accountant'][0]}", {"Accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (200, media_type)
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize("accept", ["image/png", "text/plain, image/*", "application/json;q=0", "*/*;q=x", ";;;"])
def test_what_there_is_not_is_not_acceptable(sender_of: SenderOf, issued: Names, accept: str) -> None:
    answer = get(sender_of("accountant"), f"/{issued['accountant'][0]}", accept)
    assert (answer.status, answer.problem) == (406, "not-acceptable")


def test_a_document_is_not_sent_twice(sender_of: SenderOf, issued: Names) -> None:
    sender = sender_of("accountant")
    for accept in ("application/json", "text/html", "application/pdf"):
        path = f"/v1/invoices/{issued['accountant'][0]}"
        first = sender.get(path, {"Accept": accept})
        again = sender.get(path, {"Accept": accept, "If-None-Match": first.headers["etag"]})
        assert (again.status, again.body) == (304, b"")


def test_a_draft_follows_the_events(sender_of: SenderOf, issued: Names) -> None:
    assert issued
    sender = sender_of("bookkeeper")
    assert sender.post(sample.body(*(sample.event() for _ in range(12)))).status == 200

    def lines() -> dict[str, dict[str, object]]:
        found = cast("list[dict[str, object]]", get(sender, "/draft").json["documents"])[0]
        return {str(line["kind"]): line for line in cast("list[dict[str, object]]", found["lines"])}

    service.wait_until(lambda: lines()["events"]["quantity"] == 2)  # Of ten that are free.
    saved = sample.GOOD["baseline_cost_nanousd"], sample.GOOD["cost_nanousd"]
    assert lines()["savings"]["quantity"] == 12 * (cast("int", saved[0]) - cast("int", saved[1]))
    draft = get(sender, "/draft").json
    # Of the month that was billed no usage is known: a credit note corrects it.
    invoice, note = cast("list[dict[str, object]]", draft["documents"])
    assert (draft["currency"], invoice["kind"], note["kind"]) == ("EUR", "invoice", "credit_note")
    pages = PdfReader(io.BytesIO(get(sender, "/draft", "application/pdf").body)).pages
    text = "\n".join(page.extract_text(extraction_mode="layout") for page in pages)
    assert _cents(text) == [*_expected(invoice), *_expected(note)]
    assert b"not issued" in get(sender, "/draft", "text/html").body


def test_a_tenant_without_a_plan_has_neither_draft_nor_documents(sender_of: SenderOf) -> None:
    answer = get(sender_of("invoices-only"), "/draft")
    assert (answer.status, answer.problem) == (404, "invoice-not-found")
    assert get(sender_of("invoices-only"), "").json == {"invoices": [], "next": None}


@pytest.mark.parametrize(
    "name", ["NC-1", "nc-000001", "NC-", "-000001", "NC-" + "9" * 30, "CANARY", "NC%2D000001", "..", "NC-%D9%A0"]
)
def test_a_name_of_nothing_is_not_found_and_not_repeated(sender_of: SenderOf, name: str) -> None:
    answer = get(sender_of("invoices-only"), f"/{name}")
    assert (answer.status, answer.problem) == (404, "invoice-not-found")
    assert b"CANARY" not in answer.body


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("cursor=CANARY", "cursor-invalid"),
        ("cursor=NC-99999999999999999999", "cursor-invalid"),
        ("limit=0", "parameter-invalid"),
        ("since=2026-01-01T00:00:00Z", "parameter-unknown"),
    ],
)
def test_a_bad_question_about_the_list_has_its_problem(sender_of: SenderOf, query: str, problem: str) -> None:
    answer = get(sender_of("invoices-only"), f"?{query}")
    assert (answer.status, answer.problem) == (400, problem)
    assert b"CANARY" not in answer.body


def test_a_document_has_no_query_string(sender_of: SenderOf, issued: Names) -> None:
    answer = get(sender_of("accountant"), f"/{issued['accountant'][0]}?limit=1")
    assert (answer.status, answer.problem) == (400, "query-not-empty")


def test_invoices_have_a_scope_of_their_own(sender_of: SenderOf, issued: Names) -> None:
    for name in ("usage-only", "main"):
        for path in ("", "/draft", f"/{issued['accountant'][0]}"):
            assert get(sender_of(name), path).problem == "scope-missing"
    assert sender_of("invoices-only").get("/v1/usage").problem == "scope-missing"
