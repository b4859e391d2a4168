"""The job that hands invoices over, with settings from the environment."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.jobs.job import Round
from ingest.store import connections
from ingest.store.billing import handovers
from ingest.usage.processor import job
from tests.support import bills, cluster, stripe_server
from tests.support.service import ROOT
from tests.support.stripe_server import Server


@pytest.fixture
def stripe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    job.processor.cache_clear()
    with stripe_server.serving() as server:
        wanted = bills.settings(server, tmp_path)
        bills.processor(wanted)  # For its short back-off.
        monkeypatch.setenv("NOCONTENT_PAYMENT_PROCESSOR", "stripe")
        monkeypatch.setenv("NOCONTENT_STRIPE_KEY_PATH", wanted.stripe_key_path)
        monkeypatch.setenv("NOCONTENT_STRIPE_API_BASE", server.base)
        yield server
    job.processor.cache_clear()


async def _round(dsn: str) -> Round:
    async with connections.connected(dsn, "nocontent_biller") as connection:
        return await job.hand_over(connection)


async def test_a_round_hands_over_some_and_says_whether_there_are_more(database: str, stripe: Server) -> None:
    for _ in range(job.INVOICES_A_ROUND + 1):
        await bills.issue(database, [100])
    first, second = [await _round(database) for _ in range(2)]
    assert (dict(first.figures), first.is_complete) == ({"hand_overs_done": 5, "hand_overs_failing": 0}, False)
    assert (dict(second.figures), second.is_complete) == ({"hand_overs_done": 1, "hand_overs_failing": 0}, True)
    assert len(stripe.account.invoices) == 6


async def test_a_processor_that_is_away_fails_and_the_next_round_rests_first(database: str, stripe: Server) -> None:
    await bills.issue(database, [100])
    stripe.fault = lambda _number, _method: "503"
    assert await _round(database) == Round({"hand_overs_done": 0, "hand_overs_failing": 1}, True, job.REST_S)


async def test_a_key_that_cannot_be_read_fails_until_it_can(database: str, stripe: Server, tmp_path: Path) -> None:
    await bills.issue(database, [100])
    key = tmp_path / "stripe-key"
    key.chmod(0o644)
    assert (await _round(database)).figures["hand_overs_failing"] == 1
    assert stripe.requests == []
    key.chmod(0o600)
    assert (await _round(database)).figures == {"hand_overs_done": 1, "hand_overs_failing": 0}


async def test_a_key_that_was_replaced_is_read_again(database: str, stripe: Server, tmp_path: Path) -> None:
    await bills.issue(database, [100])
    key = tmp_path / "stripe-key"
    good = key.read_text()
    key.write_text("sk_test_" + "9" * 24)
    assert (await _round(database)).figures == {"hand_overs_done": 0, "hand_overs_failing": 1}
    key.write_text(good)
    assert (await _round(database)).figures == {"hand_overs_done": 1, "hand_overs_failing": 0}
    assert len(stripe.account.charges) == 0


async def test_a_refused_invoice_is_counted_until_an_operator_mends_it(database: str, stripe: Server) -> None:
    await bills.issue(database, [100])
    assert (await _round(database)).figures["hand_overs_failing"] == 0
    stripe.account.customers.clear()
    await bills.issue(database, [200])
    assert [(await _round(database)).figures["hand_overs_failing"] for _ in range(2)] == [1, 1]


async def test_by_hand_a_round_takes_nothing_that_another_process_could(
    database: str, stripe: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bills.issue(database, [100])
    monkeypatch.delenv("NOCONTENT_PAYMENT_PROCESSOR")
    assert await _round(database) == Round({"hand_overs_done": 0, "hand_overs_failing": 0}, True, job.REST_S)
    monkeypatch.setenv("NOCONTENT_PAYMENT_PROCESSOR", "stripe")
    job.processor.cache_clear()
    assert (await _round(database)).figures["hand_overs_done"] == 1
    assert len(stripe.account.invoices) == 1


async def test_what_was_handed_over_is_not_made_again_in_another_account(database: str, stripe: Server) -> None:
    key = await bills.issue(database, [100])
    await _round(database)
    kept = dict(stripe.account.invoices)
    stripe.account.invoices.clear()
    async with cluster.operator(database) as connection:
        await connection.execute("UPDATE handovers SET read_at = now() - interval '7 hours'")
        assert (await _round(database)).figures["hand_overs_failing"] == 1
        assert await handovers.retry(connection, key)
        assert (await _round(database)).figures == {"hand_overs_done": 0, "hand_overs_failing": 0}
        assert stripe.account.invoices == {}
        stripe.account.invoices.update(kept)  # The right key is back.
        await connection.execute("UPDATE handovers SET read_at = now() - interval '7 hours', refusal = 3")
    assert (await _round(database)).figures["hand_overs_failing"] == 0


def test_only_whoever_hands_over_to_stripe_imports_its_sdk() -> None:
    served = "ingest.reports.app, ingest.cli.invoice, ingest.usage.rounds"
    program = f"import {served}, sys; print({{'stripe', 'requests'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT)
    assert done.stdout == b"set()\n"
