"""Invoices handed over to Stripe, whatever fails on the way: charged once. The SDK against a stateful server."""

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.store import connections
from ingest.store.billing import handovers
from ingest.store.billing.handovers import InvoiceKey, Refusal, Step
from ingest.usage.processor import handing
from tests.support import bills, cluster, stripe_server
from tests.support.cluster import Cluster
from tests.support.stripe_account import KEY_S, SEARCH_LAG_S
from tests.support.stripe_server import AFTER, BEFORE, Server

LINES = [1250, 49, -99]
TOTAL = 1200
REQUESTS = 12  # Of a hand-over without a fault.
_STATE = "SELECT state FROM invoices WHERE tenant_id = $1 AND issuer = $2 AND number = $3"
_PAYMENTS = "SELECT amount_cents FROM payments WHERE tenant_id = $1 AND issuer = $2 AND number = $3"


@pytest.fixture
def stripe() -> Iterator[Server]:
    with stripe_server.serving() as server:
        yield server


async def _is_paid_once(dsn: str, stripe: Server, key: InvoiceKey) -> None:
    """Check that the customer, Stripe and our tables agree on one charge."""
    assert [cents for _, cents in stripe.account.charges] == [TOTAL]
    assert len(stripe.account.customers) == 1
    (invoice,) = stripe.account.invoices.values()
    assert (invoice["total"], invoice["status"]) == (TOTAL, "paid")
    async with cluster.operator(dsn) as connection:
        assert await connection.fetchval(_STATE, *key) == 2
        assert [row["amount_cents"] for row in await connection.fetch(_PAYMENTS, *key)] == [TOTAL]


async def test_an_invoice_is_charged_once_and_settled(database: str, stripe: Server, tmp_path: Path) -> None:
    key = await bills.issue(database, LINES)
    wanted = bills.settings(stripe, tmp_path)
    assert [(await bills.run(database, wanted)).done for _ in range(3)] == [1, 0, 0]
    await _is_paid_once(database, stripe, key)
    (invoice,) = stripe.account.invoices.values()
    assert invoice["metadata"] == {"nocontent_invoice": "NC-000001", "nocontent_tenant": "1"}
    assert [each["description"] for each in stripe.account.items.values()] == ["Events, 2026-09"] * 3


@pytest.mark.timeout(300)  # Some 30 processes, one after the other.
@pytest.mark.parametrize("fault", ["kill", "kill-after"])
def test_a_kill_between_any_two_steps_charges_once(postgres: Cluster, tmp_path: Path, fault: str) -> None:
    for victim in range(REQUESTS):
        dsn = postgres.migrated()
        key = asyncio.run(bills.issue(dsn, LINES))
        with stripe_server.serving() as stripe:
            wanted = bills.settings(stripe, tmp_path)
            stripe.fault = _at(victim, fault)
            assert _run_process(dsn, stripe, wanted.stripe_key_path) == -signal.SIGKILL
            assert len(stripe.account.charges) <= 1
            assert len(stripe.requests) == victim + 1
            assert _run_process(dsn, stripe, wanted.stripe_key_path) == 0
            asyncio.run(_is_paid_once(dsn, stripe, key))
        postgres.drop(dsn)


async def test_the_kills_reach_every_step(database: str, stripe: Server, tmp_path: Path) -> None:
    await bills.issue(database, LINES)
    await bills.run(database, bills.settings(stripe, tmp_path))
    assert len(stripe.requests) == REQUESTS


def _at(victim: int, fault: str) -> Callable[[int, str], str]:
    return lambda number, _method: fault if number == victim else ""


# Forked from one that has imported the SDK: starting Python took most of the time of some 50 processes.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["stripe", "tests.support.bills"])


def _run_process(dsn: str, stripe: Server, path: str) -> int | None:
    here, there = _processes.Pipe()
    with here, there:
        running = _processes.Process(target=bills.hand_over, args=(there, dsn, stripe.base, path))
        running.start()
        assert running.pid
        stripe.victim = running.pid
        here.send("go")  # Its first request may be the one that kills it.
        running.join(60)
        return running.exitcode


@pytest.mark.parametrize("fault", [*BEFORE[:-1], *(each for each in AFTER if each != "kill-after")])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_fault_of_every_request_delays_and_never_charges_twice(
    database: str, stripe: Server, tmp_path: Path, fault: str, method: str
) -> None:
    key = await bills.issue(database, LINES)
    wanted = bills.settings(stripe, tmp_path)
    seen: set[tuple[str, str]] = set()

    def first_of_each(number: int, verb: str) -> str:
        known = stripe.requests[number][1:]
        is_first = known not in seen
        seen.add(known)
        return fault if verb == method and is_first else ""

    stripe.fault = first_of_each
    for _ in range(40):
        if (await bills.run(database, wanted)).is_reachable:
            break
        stripe.account.now += KEY_S / 6  # Stripe keeps a 500 as the answer of a key until the key expires.
    await bills.run(database, wanted)
    await _is_paid_once(database, stripe, key)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_faults_and_pauses_never_charge_twice(postgres: Cluster, tmp_path: Path, data: st.DataObject) -> None:
    faults = st.sampled_from(
        ["", "", "", *(each for each in (*BEFORE, *AFTER) if "kill" not in each and "slow" not in each)]
    )
    dsn = postgres.migrated()
    with stripe_server.serving() as stripe:
        planned = data.draw(st.lists(faults, max_size=40))
        stripe.fault = lambda number, _method: planned[number] if number < len(planned) else ""

        async def histories() -> None:
            key = await bills.issue(dsn, LINES)
            wanted = bills.settings(stripe, tmp_path)
            for _ in range(20):
                await bills.run(dsn, wanted)
                assert sum(cents for _, cents in stripe.account.charges) in {0, TOTAL}
                stripe.account.now += data.draw(st.sampled_from([1.0, SEARCH_LAG_S, KEY_S + 1]))
            await bills.run(dsn, wanted)
            await _is_paid_once(dsn, stripe, key)

        asyncio.run(histories())
    postgres.drop(dsn)


async def test_two_processes_at_once_charge_once(database: str, stripe: Server, tmp_path: Path) -> None:
    key = await bills.issue(database, LINES)
    wanted = bills.settings(stripe, tmp_path)
    await asyncio.gather(*(bills.run(database, wanted) for _ in range(3)))
    await bills.run(database, wanted)
    await _is_paid_once(database, stripe, key)


async def test_a_database_restored_to_before_the_hand_over_charges_nothing_again(
    database: str, stripe: Server, tmp_path: Path
) -> None:
    key = await bills.issue(database, LINES)
    wanted = bills.settings(stripe, tmp_path)
    await bills.run(database, wanted)
    async with cluster.operator(database) as connection:
        await connection.execute(
            "DELETE FROM payments; DELETE FROM handovers; DELETE FROM processor_customers;"
            "UPDATE invoices SET state = 1, paid_at = NULL"
        )
    stripe.account.now += KEY_S * 3
    assert (await bills.run(database, wanted)).done == 1
    await _is_paid_once(database, stripe, key)


async def _handover(dsn: str, key: InvoiceKey) -> handovers.Handover:
    async with cluster.operator(dsn) as connection:
        known = await handovers.read(connection, key)
    assert known is not None
    return known


async def test_an_invoice_that_stripe_has_with_another_total_waits_for_an_operator(
    database: str, stripe: Server, tmp_path: Path
) -> None:
    """As after a restore to before the finalization: the number went to another invoice."""
    wanted = bills.settings(stripe, tmp_path)
    await bills.issue(database, LINES)
    await bills.run(database, wanted)
    async with cluster.operator(database) as connection:
        await connection.execute(
            "DELETE FROM payments; DELETE FROM handovers; DELETE FROM invoice_lines; DELETE FROM invoices;"
            "UPDATE invoice_counters SET last = 0"
        )
    key = await bills.issue(database, [777])
    assert (await bills.run(database, wanted)).refused == 1
    assert (await _handover(database, key)).refusal is Refusal.DIFFERS
    assert (await bills.run(database, wanted)).refused == 0  # It is not tried again by itself.
    assert len(stripe.account.charges) == 1


async def test_a_draft_that_was_deleted_is_made_again_when_an_operator_asks(
    database: str, stripe: Server, tmp_path: Path
) -> None:
    key = await bills.issue(database, LINES)
    wanted = bills.settings(stripe, tmp_path)
    stripe.fault = lambda _number, _method: "503" if stripe.account.items else ""
    assert not (await bills.run(database, wanted)).is_reachable
    stripe.account.invoices.clear()
    stripe.fault = lambda _number, _method: ""
    assert (await bills.run(database, wanted)).refused == 1
    assert (await _handover(database, key)).refusal is Refusal.GONE
    async with connections.connected(database, "nocontent_biller") as connection:
        assert await handovers.retry(connection, key)
    stripe.account.items.clear()
    assert (await bills.run(database, wanted)).done == 1
    await _is_paid_once(database, stripe, key)


async def test_a_key_that_stripe_refuses_stops_the_pass_and_refuses_no_invoice(
    database: str, stripe: Server, tmp_path: Path
) -> None:
    key = await bills.issue(database, LINES)
    wanted = bills.settings(stripe, tmp_path, key="sk_test_" + "9" * 24)
    assert not (await bills.run(database, wanted)).is_reachable
    assert len(stripe.requests) == 1
    known = await _handover(database, key)
    assert (known.step, known.refusal) == (Step.BEGUN, Refusal.NONE)


async def test_an_invoice_that_is_sent_stays_open_until_it_is_paid(
    database: str, stripe: Server, tmp_path: Path
) -> None:
    key = await bills.issue(database, LINES)
    wanted = bills.settings(stripe, tmp_path, "send_invoice")
    assert (await bills.run(database, wanted)).done == 1
    (invoice,) = stripe.account.invoices.values()
    assert (invoice["status"], invoice["collection_method"], stripe.account.charges) == ("open", "send_invoice", [])
    stripe.account.pay(cast(str, invoice["id"]))
    async with cluster.operator(database) as connection:
        assert await connection.fetchval(_STATE, *key) == 1
        await connection.execute("UPDATE handovers SET read_at = now() - interval '7 hours'")
    await bills.run(database, wanted)  # No webhook came: it is read again.
    await _is_paid_once(database, stripe, key)


@pytest.mark.parametrize("collection", ["charge_automatically", "send_invoice"])
async def test_a_credit_note_gives_back_what_was_paid_and_closes_what_was_not(
    database: str, stripe: Server, tmp_path: Path, collection: str
) -> None:
    key = await bills.issue(database, LINES)
    wanted = bills.settings(stripe, tmp_path, collection)
    await bills.run(database, wanted)
    note = await bills.credit(database, key)
    stripe.fault = lambda number, _method: "cut-after" if stripe.requests[number][1] == "/v1/credit_notes" else ""
    await bills.run(database, wanted)
    stripe.fault = lambda _number, _method: ""
    stripe.account.now += KEY_S + 1
    await bills.run(database, wanted)
    (made,) = stripe.account.credit_notes.values()
    assert made["amount"] == TOTAL
    paid = sum(cents for _, cents in stripe.account.charges)
    assert (paid, stripe.account.balance_cents) == ((TOTAL, TOTAL) if paid else (0, 0))
    async with cluster.operator(database) as connection:
        assert await connection.fetchval(_STATE, *note) == 2


async def test_a_correction_below_zero_goes_to_the_balance(database: str, stripe: Server, tmp_path: Path) -> None:
    key = await bills.issue(database, [-300])
    await bills.run(database, bills.settings(stripe, tmp_path))
    assert (stripe.account.charges, stripe.account.balance_cents) == ([], 300)
    async with cluster.operator(database) as connection:
        assert await connection.fetchval(_STATE, *key) == 2
        assert await connection.fetch(_PAYMENTS, *key) == []


async def test_an_invoice_credited_before_it_was_handed_over_needs_no_processor(
    database: str, stripe: Server, tmp_path: Path
) -> None:
    await bills.credit(database, await bills.issue(database, LINES))
    assert (await bills.run(database, bills.settings(stripe, tmp_path))) == handing.Handed()
    assert stripe.requests == []


async def test_idempotency_keys_are_those_of_the_number_and_the_step(
    database: str, stripe: Server, tmp_path: Path
) -> None:
    """For ever: a release that changes them could charge again what one before had begun."""
    await bills.issue(database, [5, 6])
    await bills.run(database, bills.settings(stripe, tmp_path))
    steps = ["draft", "line-1", "line-2", "finalize"]
    expected = ["nocontent-customer-NC-1-1", *(f"nocontent-NC-000001-1-{step}" for step in steps)]
    assert [key for method, _, key in stripe.requests if method == "POST"] == expected
