"""The table's events compared with the responses, batch by batch."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.soak.flow import STORED, Sent
from tests.support import cluster

# The last group of an id is the number of its batch.
_STORED = "SELECT right(event_id::text, 12) AS number, count(*) FROM events GROUP BY number"
_IN_DOUBT = ("503 outcome-unknown", "no answer", "408")


@dataclass
class Reckoning:
    """The result of a comparison, in events, except `halves`, which are batches."""

    rows: int = 0
    acknowledged: int = 0
    lost: int = 0  # Acknowledged and not there.
    denied: int = 0  # There, though the answer said that nothing was stored.
    doubtful: int = 0  # There, and the answer said that nobody knows.
    halves: int = 0
    strangers: int = 0

    def finds(self) -> list[str]:
        """Return the faults."""
        counts = {
            "events acknowledged and lost": self.lost,
            "events stored though the answer said that nothing was": self.denied,
            "batches stored in part": self.halves,
            "events that nobody sent": self.strangers,
        }
        return [f"{count:,} {what}" for what, count in counts.items() if count]

    def __str__(self) -> str:
        return (
            f"{self.acknowledged:,} events acknowledged, {self.rows:,} rows, {self.lost:,} lost,"
            f" {self.doubtful:,} stored in doubt, {self.denied:,} denied but stored"
        )


async def reckon(dsn: str, sent: Sequence[Sent]) -> Reckoning:
    """Read the whole table."""
    async with cluster.operator(dsn) as connection:
        there = {int(number, 16): count for number, count in await connection.fetch(_STORED)}
    found = Reckoning(rows=sum(there.values()))
    for each in sent:
        rows = there.pop(each.number, 0)
        found.halves += 0 < rows < each.events
        if each.face == STORED:
            found.acknowledged += each.events
            found.lost += each.events - rows
        elif each.face.startswith(_IN_DOUBT):
            found.doubtful += rows
        else:
            found.denied += rows
    found.strangers = sum(there.values())
    return found
