"""The job `hand_over`: invoices to the processor that the settings name, and their states from it."""

from functools import cache

from ingest import config, logs
from ingest.errors import CannotStart
from ingest.jobs.job import Round
from ingest.store.billing import handovers
from ingest.store.billing.handovers import ProcessorId
from ingest.store.connections import Connection
from ingest.usage.processor import factory, handing
from ingest.usage.processor.processor import Processor
from ingest.usage.processor.settings import PaymentSettings

REST_S = 60.0
INVOICES_A_ROUND = 5  # A hand-over is a dozen calls, each of which may take some seconds.


async def hand_over(connection: Connection) -> Round:
    """Hand over some of the invoices that are due, and follow some of those that were handed over.

    By hand nothing is, so that a process that lacks the setting takes no invoice from another that has it.
    """
    try:
        wanted = processor()
    except CannotStart as fault:  # Only this job stops; the key's file may be mended while it rests.
        logs.error("processor-unavailable", error=type(fault).__name__)
        return await _round(connection, handing.Handed(is_complete=False, is_reachable=False))
    if wanted.id is ProcessorId.MANUAL:  # Invoices are bound to it by `invoice pay` and `invoice send` alone.
        return await _round(connection, handing.Handed())
    handed = await handing.hand_over(connection, wanted, INVOICES_A_ROUND)
    if handed.is_reachable:
        followed = await handing.follow(connection, wanted, INVOICES_A_ROUND)
        is_complete = handed.is_complete and followed.is_complete
        handed = handed._replace(is_complete=is_complete, is_reachable=followed.is_reachable)
    return await _round(connection, handed)


async def _round(connection: Connection, handed: handing.Handed) -> Round:
    if not handed.is_reachable:
        processor.cache_clear()  # The key may have been replaced.
    failing = await handovers.refused(connection) + (not handed.is_reachable)
    # While the processor is away the round counts as complete, so that the next one comes after a rest.
    is_complete = handed.is_complete or not handed.is_reachable
    return Round({"hand_overs_done": handed.done, "hand_overs_failing": failing}, is_complete, REST_S)


@cache
def processor() -> Processor:
    """Return the processor; raises CannotStart."""
    return factory.make(config.load_own(PaymentSettings))
