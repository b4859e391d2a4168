"""Reads the figures of a weekly review when it is sent, by the code that answers `/v1/usage`: they are the same."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from ingest.knowledge import day_numbers
from ingest.knowledge.letters import WeeklyReview
from ingest.reports import answers
from ingest.reports.answers import Row
from ingest.store.connections import Connection
from ingest.store.mail import facts
from ingest.store.mail.facts import Letter
from ingest.store.usage import reads
from ingest.store.usage.columns import SUMS
from ingest.store.usage.reads import Key, Page, Selection, Sums


async def find(connection: Connection, letter: Letter) -> WeeklyReview:
    """Return the review of the week that a letter names: its first day, the week before, its beginning and end."""
    start, *times = letter.numbers
    before, since, until = (datetime.fromtimestamp(each, UTC) for each in times)
    first = day_numbers.day(start)
    last = first + timedelta(days=6)
    week = await _row(connection, letter.tenant_id, since, until)
    earlier = await _row(connection, letter.tenant_id, before, since)
    return WeeklyReview(
        first=first,
        last=last,
        requests=week.events,
        spend_nanousd=week.cost.total_nanousd,
        spend_before_nanousd=earlier.cost.total_nanousd,
        savings_nanousd=week.savings.total_nanousd,
        covered=week.savings.baseline_events,
        by_price=week.savings.priced_events,
        unpriced=week.cost.unpriced_events,
        refusals=await facts.refusals(connection, letter.tenant_id, first, last),
    )


async def _row(connection: Connection, tenant_id: int, since: datetime, before: datetime) -> Row:
    selection = Selection(tenant_id, since, before, "total", (), has_histograms=False)
    found = await reads.sums(connection, selection, Page(None, 1))
    return answers.row(found[0] if found else Sums(Key(since, ()), Counter(dict.fromkeys(SUMS, 0)), None, None), {})
