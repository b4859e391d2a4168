"""How soon an alert is in the outbox: one round of each job after the spend, and these rest for less than a minute."""

from ingest.alerts.budgets import job
from ingest.jobs import runner
from ingest.store import batches, connections
from ingest.store.budgets import budgets
from ingest.usage import rollup, rounds
from tests.alerts.budgets.conftest import Organisation
from tests.support import sample
from tests.support.budgets import DOLLAR, letters, spec
from tests.support.entries import entry

_IN_TIME_S = 120.0  # From the spend to the letter.


async def test_one_round_of_each_job_announces_an_event_that_was_just_stored(organisation: Organisation) -> None:
    made = await budgets.add(organisation.control, organisation.tenant_id, spec(DOLLAR))
    event = sample.event(event_id=sample.uuid7(sample.now_ms()), cost_nanousd=DOLLAR)
    async with (
        connections.connected(organisation.dsn, "nocontent_writer") as writer,
        connections.connected(organisation.dsn, "nocontent_biller") as biller,
    ):
        await batches.store(writer, [entry(event, tenant_id=organisation.tenant_id)])
        await runner.run_once(biller, rounds.ROLLUP)
    await runner.run_once(organisation.mailer, job.BUDGETS)
    assert [(found.budget_id, found.threshold) for found in await letters(organisation.owner)] == [(made, 100)]


def test_both_jobs_rest_for_less_than_half_of_the_time() -> None:
    """The other half is for their rounds and for a late leader."""
    assert rollup.BUSY_REST_S + job.REST_S <= _IN_TIME_S / 2
