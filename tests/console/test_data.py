"""Billing and Your data in a running console: what is shown, exported and erased is the own tenant's alone."""

import asyncio
import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest

from ingest.accounts.roles import Role
from ingest.console.pages.exporting import DATA_OF
from ingest.rights.receipts import keys, signing
from ingest.rights.receipts.documents import Receipt
from tests.support import bills, cluster, console, erasing, event_ids, exports
from tests.support.cluster import Cluster
from tests.support.console import PASSWORD, Console, Visitor, text
from tests.support.wire import Answer

EVENTS = 400
_LINK = re.compile(r'href="(/data/export/[^"]+)"')
_ERASURE = re.compile(r"/data/erasures/([0-9a-f-]{36})")
_IDS = "SELECT event_id::text AS id FROM events WHERE tenant_id = $1 ORDER BY occurred_at, event_id"
_TAG = """
UPDATE events SET tag_1 = (SELECT term_id FROM tag_names WHERE tenant_id = 1 AND tag_value = 'search'), tag_2 = 0
WHERE tenant_id = 1 AND event_id IN (SELECT event_id FROM events WHERE tenant_id = 1 ORDER BY event_id LIMIT 5)
"""
LATER = "999999999999:999999999999:"
NEVER = "00000000-0000-7000-8000-000000000000"


class Kept(NamedTuple):
    """A console with data of two tenants, and the settings of the jobs that erase."""

    running: Console
    settings: dict[str, str]
    ids: dict[str, list[str]]
    invoices: dict[str, str]

    @property
    def query(self) -> dict[str, str]:
        today = datetime.now(UTC).date()
        return {"first": str(today - timedelta(days=4)), "last": str(today)}


@pytest.fixture(scope="module")
def kept(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    dsn, folder = postgres.migrated(), tmp_path_factory.mktemp("console")
    console.furnish(dsn)
    own = erasing.settings(folder / "erasures")
    invoices = {}
    for tenant_id, name in enumerate(console.TENANTS, 1):
        exports.store(dsn, tenant_id, EVENTS)
        key = asyncio.run(bills.issue(dsn, [1_250, 99], tenant_id))
        invoices[name] = f"{key.issuer}-{key.number:06}"
    cluster.run(dsn, _TAG)
    exports.annotate(dsn, 1)
    exports.roll_up(dsn)
    ids = {
        name: [row["id"] for row in cluster.fetch(dsn, _IDS, tenant_id)]
        for tenant_id, name in enumerate(console.TENANTS, 1)
    }
    with console.serving(dsn, folder, erasures_dir=own["NOCONTENT_ERASURES_DIR"]) as running:
        yield Kept(running, own, ids, invoices)
    postgres.drop(dsn)


@pytest.fixture(scope="module")
def owner(kept: Kept) -> Iterator[Visitor]:
    with kept.running.visitor("owner") as visitor:
        yield visitor


def read(visitor: Visitor, path: str, **query: str | list[str]) -> Answer:
    answer = visitor.get(f"{path}?{urlencode(query, doseq=True)}" if query else path)
    assert answer.status == 200, text(answer)
    return answer


def links(visitor: Visitor, kept: Kept, form: str, *data: str) -> list[str]:
    page = read(visitor, "/data/export", format=form, data=list(data), **kept.query)
    return [each.replace("&amp;", "&") for each in _LINK.findall(page.body.decode()) if "resume" not in each]


def table(visitor: Visitor, path: str, name: str) -> list[dict[str, str]]:
    """Return a table of a page as CSV has it."""
    return [*csv.DictReader(io.StringIO(read(visitor, path, csv=name).body.decode()))]


@pytest.mark.parametrize(("form", "ids"), event_ids.READERS.items())
def test_an_export_read_back_has_the_rows_of_the_own_tenant(kept: Kept, form: str, ids: object) -> None:
    assert callable(ids)
    for tenant in console.TENANTS:
        with kept.running.visitor("analyst", tenant) as visitor:
            files = [read(visitor, each).body for each in links(visitor, kept, form, "events")]
        assert [each for file in files for each in ids(file)] == kept.ids[tenant]


def test_an_export_that_was_cut_goes_on_after_its_last_row(kept: Kept, owner: Visitor) -> None:
    path = next(each for each in links(owner, kept, "jsonl", "events"))
    whole = read(owner, path).body.splitlines()
    assert len(whole) > 2
    name, _, snapshot = path.removeprefix("/data/export/").partition("?snapshot=")
    last = json.loads(whole[1])["event_id"]
    data, _, file = name.partition("/")
    asked = urlencode({"part": f"{data}-{file}", "snapshot": snapshot, "after": last})
    answer = owner.get(f"/data/export/resume?{asked}")
    assert answer.status == 303
    assert read(owner, answer.headers["location"]).body.splitlines() == whole[2:]


def test_a_rest_after_no_row_leads_back_to_the_form(owner: Visitor) -> None:
    for after in ("", "x", "//evil.example", NEVER):
        answer = owner.get(f"/data/export/resume?part=events-2026-11-01.jsonl&snapshot=10:20:&after={after}")
        assert (answer.status, answer.headers["location"]) == (303, "/data/export?notice=export-row-unknown")


def test_every_data_set_can_be_read_by_the_owner(kept: Kept, owner: Visitor) -> None:
    files = links(owner, kept, "csv", *DATA_OF["owner"])
    names = {each.removeprefix("/data/export/").partition("?")[0].partition("/")[0].partition(".")[0] for each in files}
    assert names >= {"events", "ledger", "usage", "vocabulary", "invoices", "audit", "tenant", "tokens", "erasures"}
    for each in files:
        assert b"," in read(owner, each).body.splitlines()[0], each
    focus = links(owner, kept, "focus")
    assert len(focus) == 1
    assert read(owner, focus[0]).body.startswith(b"BilledCost,")


@pytest.mark.parametrize("role", ["auditor", "billing"])
def test_who_may_not_export_sees_no_export(kept: Kept, role: Role) -> None:
    with kept.running.visitor("owner") as visitor:
        paths = links(visitor, kept, "jsonl", "events", "usage")
    with kept.running.visitor(role) as visitor:
        assert {visitor.get(path).status for path in ("/data/export", *paths)} == {404}
        assert "Export" not in text(visitor.get("/account"))


def test_an_analyst_exports_use_and_nothing_else(kept: Kept, owner: Visitor) -> None:
    others = links(owner, kept, "jsonl", *(each for each in DATA_OF["owner"] if each not in DATA_OF["analyst"]))
    assert others
    with kept.running.visitor("analyst") as visitor:
        assert {visitor.get(path).status for path in others} == {404}
        asked = urlencode({"format": "jsonl", "data": "invoices", **kept.query})
        assert visitor.get(f"/data/export?{asked}").status == 422


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"first": "2026-11-02", "last": "2026-11-01", "format": "csv", "data": "events"}, 422),
        ({"first": "yesterday", "last": "2026-11-01", "format": "csv", "data": "events"}, 422),
        ({"first": "2020-01-01", "last": "2026-11-01", "format": "csv", "data": "events"}, 422),
        ({"first": "2026-11-01", "last": "9999-12-31", "format": "csv", "data": "events"}, 422),
        ({"first": "2026-11-01", "last": "2026-11-02", "format": "csv"}, 422),
        ({"first": "2026-11-01", "last": "2026-11-02", "format": "xlsx", "data": "events"}, 404),
    ],
)
def test_a_bad_wish_is_explained(owner: Visitor, query: dict[str, str], status: int) -> None:
    answer = owner.get(f"/data/export?{urlencode(query)}")
    assert answer.status == status
    assert 'href="/data/export/events' not in answer.body.decode()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/data/export/events/2026-11-01.jsonl", 400),
        ("/data/export/events/2026-11-01.jsonl?snapshot=1", 400),
        (f"/data/export/events/2026-11-01.jsonl?snapshot={LATER}", 400),
        ("/data/export/events/2026-11-01.jsonl?snapshot=10:20:&after=x", 400),
        ("/data/export/events/2026-11-01.xlsx?snapshot=10:20:", 404),
        ("/data/export/people/2026-11-01.csv?snapshot=10:20:", 404),
        ("/data/export/people.csv.csv", 404),
        ("/data/export/vocabulary.csv?from=2026-11-01", 400),
    ],
)
def test_a_part_that_is_not_there_is_refused(owner: Visitor, path: str, status: int) -> None:
    assert owner.get(path).status in {status, 404}
    assert owner.get(path).headers.get("location") is None


@pytest.mark.parametrize(
    ("form", "counted"),
    [
        ({"scope": "range", "since": "2020-01-01", "before": "2026-01-01T00:00:00Z"}, ""),
        ({"scope": "tag", "tag": "team=nothing"}, ""),
        ({"scope": "events", "ids": NEVER}, ""),
        ({"scope": "range", "since": "2026-01-01", "before": "2199-01-01"}, ""),
        ({"scope": "events", "ids": "one two"}, ""),
        ({"scope": "tag", "tag": "team"}, ""),
        ({"scope": "tag", "tag": "team=search"}, "events"),
        ({"scope": "tenant"}, "people"),
    ],
)
def test_a_dry_run_counts_and_records_nothing(kept: Kept, owner: Visitor, form: dict[str, str], counted: str) -> None:
    answer = owner.post("/data/erase/count", form)
    assert answer.status == (200 if counted else 422)
    assert ("Type acme to confirm" in text(answer)) == bool(counted)
    assert counted in text(answer)
    assert cluster.fetch(kept.running.dsn, "SELECT FROM erasures") == []


def test_an_id_of_another_tenant_names_nothing_to_erase(kept: Kept, owner: Visitor) -> None:
    answer = owner.post("/data/erase/count", {"scope": "events", "ids": kept.ids["globex"][0]})
    assert (answer.status, "Nothing was found" in text(answer)) == (422, True)


def test_only_an_owner_erases_the_organisation(kept: Kept) -> None:
    with kept.running.visitor("admin") as visitor:
        assert "whole organisation" not in text(visitor.get("/data/erase")).lower()
        for path in ("/data/erase/count", "/data/erase"):
            assert visitor.post(path, {"scope": "tenant", "organisation": "acme", "password": PASSWORD}).status == 404


def test_an_erasure_needs_the_name_and_a_fresh_password(kept: Kept) -> None:
    wanted = {"scope": "events", "ids": kept.ids["acme"][-1]}
    with kept.running.visitor("admin") as visitor:
        cluster.run(kept.running.dsn, "UPDATE sessions SET confirmed_at = now() - interval '6 minutes'")
        assert "Your password" in text(visitor.post("/data/erase/count", wanted))
        for typed in ({}, {"organisation": "globex"}, {"organisation": "acme"},
                      {"organisation": "acme", "password": "wrong password"}):  # fmt: skip
            answer = visitor.post("/data/erase", wanted | typed)
            assert (answer.status, "Nothing was changed" in text(answer)) == (422, True)
    assert cluster.fetch(kept.running.dsn, "SELECT FROM erasures") == []


def test_events_are_erased_with_a_receipt_that_can_be_checked(kept: Kept, owner: Visitor) -> None:
    dsn, gone = kept.running.dsn, kept.ids["acme"][:3]
    wanted = {"scope": "events", "ids": "\r\n".join(gone)}
    page = text(owner.post("/data/erase/count", wanted))
    assert "events 3" in page
    answer = owner.post("/data/erase", wanted | {"organisation": "acme", "password": PASSWORD})
    found = _ERASURE.search(answer.headers["location"])
    assert found is not None
    path = f"/data/erasures/{found[1]}"
    assert "waits for the job" in text(read(owner, path))
    assert owner.get(f"{path}/receipts/1").status == 404
    erasing.run_jobs(dsn, kept.settings)
    assert "8 of 8 finished" in text(read(owner, path))
    erased = {row["table"]: (row["erased"], row["kept"]) for row in table(owner, path, "counts")}
    assert erased == {"events": ("3", "0"), "annotations": ("3", "0")}
    left = [row["id"] for row in cluster.fetch(dsn, _IDS, 1)]
    assert left == kept.ids["acme"][3:]
    receipt = read(owner, f"{path}/receipts/1")
    known = keys.decode(Path(kept.settings["NOCONTENT_RECEIPT_PUBLIC_KEYS_FILE"]).read_bytes())
    assert str(signing.verify_as(receipt.body, known, Receipt).erasure.erasure_id) == found[1]
    assert cluster.fetch(dsn, "SELECT person_id IS NOT NULL AS known FROM audit WHERE act = 'erasure.request'")[0][0]
    assert table(owner, "/data/erasures", "erasures")[0]["erasure"] == found[1]
    for who in (kept.running.visitor("owner", "globex"), kept.running.visitor("analyst")):
        with who as other:
            for one in (path, f"{path}/receipts/1"):
                assert other.get(one).status == 404
    with kept.running.visitor("auditor") as auditor:
        assert read(auditor, f"{path}/receipts/1").body == receipt.body
        assert auditor.get("/data/erase").status == 404


def test_shorter_retention_is_confirmed_if_it_deletes_events(kept: Kept, owner: Visitor) -> None:
    dsn = kept.running.dsn
    days = "SELECT retention_days FROM tenants WHERE tenant_id = 1"
    assert "Up to 30" in text(read(owner, "/data/retention"))
    for typed in ("0", "31", "-1", "1e3", "many"):
        assert owner.post("/data/retention", {"days": typed}).status == 422
    assert "would be deleted" in text(owner.post("/data/retention", {"days": "1"}))
    assert owner.post("/data/retention", {"days": "1", "organisation": "globex"}).status == 422
    assert cluster.fetch(dsn, days)[0][0] is None
    assert owner.post("/data/retention", {"days": "20"}).status == 303
    assert cluster.fetch(dsn, days)[0][0] == 20
    assert "kept 20 days" in text(read(owner, "/data/retention"))
    assert owner.post("/data/retention", {"days": ""}).status == 303
    assert cluster.fetch(dsn, days)[0][0] is None
    assert {row["name"] for row in table(owner, "/data/retention", "retention")} >= {"events", "usage", "invoices"}


def test_corrections_are_those_of_the_own_tenant(kept: Kept, owner: Visitor) -> None:
    assert {row["reason"] for row in table(owner, "/data/corrections", "corrections")} == {"test-traffic"}
    with kept.running.visitor("owner", "globex") as other:
        assert "No event of these days is annotated" in text(read(other, "/data/corrections"))


def test_billing_shows_documents_of_the_own_tenant_in_every_form(kept: Kept) -> None:
    own, others = kept.invoices["acme"], kept.invoices["globex"]
    with kept.running.visitor("billing") as visitor:
        (listed,) = table(visitor, "/billing", "documents")
        assert (listed["number"], listed["total"], listed["currency"]) == (own, "13.49", "EUR")
        page = text(read(visitor, f"/billing/documents/{own}"))
        assert "13.49 EUR" in page
        assert [row["amount"] for row in table(visitor, f"/billing/documents/{own}", own)] == ["12.50 EUR", "0.99 EUR"]
        assert read(visitor, f"/billing/documents/{own}/json").json["total_cents"] == 1_349
        assert read(visitor, f"/billing/documents/{own}/pdf").body.startswith(b"%PDF")
        for form in ("", "/json", "/pdf"):
            assert visitor.get(f"/billing/documents/{others}{form}").status == 404
            assert visitor.get(f"/billing/documents/draft{form}").status == 404  # On no plan.


def test_the_draft_grows_with_the_plan_and_costs_are_checked(kept: Kept) -> None:
    cluster.run(
        kept.running.dsn,
        "INSERT INTO subscriptions (tenant_id, month, plan_id, time_zone) VALUES (2, '2026-01-01', 1, 'Etc/UTC')",
    )
    with kept.running.visitor("billing", "globex") as visitor:
        assert "basic" in text(read(visitor, "/billing"))
        rows = table(visitor, "/billing", "price-check")
        counted = sum(int(row[name]) for row in rows for name in ("matched", "mismatched", "unchecked", "unpriced"))
        assert 0 < counted <= EVENTS


def test_an_owner_erases_the_organisation_and_its_tokens_end_at_once(kept: Kept) -> None:
    with kept.running.visitor("owner", "globex") as visitor:
        asked = {"scope": "tenant", "organisation": "globex", "password": PASSWORD}
        path = visitor.post("/data/erase", asked).headers["location"]
        assert "The whole organisation" in text(read(visitor, path.partition("?")[0]))
        assert visitor.post("/data/erase", asked).status == 409  # It is being erased.
    alive = "SELECT FROM ingest_tokens JOIN tenants USING (tenant_id) WHERE tenant_id = 2 AND {}"
    assert cluster.fetch(kept.running.dsn, alive.format("(revoked_at IS NULL OR NOT disabled)")) == []
