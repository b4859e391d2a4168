"""What docs/backup.md says to run after a restore: no letter twice that was promised once, no month released twice."""

import asyncio
import re
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import get_args

import pytest

from ingest.insights import release
from ingest.insights.scheme import DELTA, EPSILON_MAX, SCHEME
from ingest.store import connections, insights, tenants
from ingest.store.errors import MonthReleased
from ingest.store.mail import sending
from ingest.store.mail.kinds import KINDS, Kind
from tests.support import mail
from tests.support.cluster import Cluster, operator

_PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text("utf-8")
_LETTERS, _RELEASE = re.findall(
    r"```sql\n(.*?)```", _PAGE.partition("## Letters and releases since the backup")[2].partition("\n## ")[0], re.DOTALL
)


def test_letters_that_are_sent_at_most_once_are_not_sent_after_a_restore(postgres: Cluster) -> None:
    dsn = postgres.migrated()

    async def run() -> list[Kind]:
        async with operator(dsn) as owner:
            tenant_id = await tenants.add(owner, "acme")
            (person_id,) = await mail.add_people(owner, tenant_id, 1)
            for kind in set(get_args(Kind)) - {"invitation"}:
                await mail.put(owner, tenant_id, person_id, kind)
        async with connections.connected(dsn, "nocontent_mailer") as mailer:
            await mailer.execute(_LETTERS)
            found = []
            while (claimed := await sending.claim(mailer)) is not None:
                found.append(claimed.kind)
        return found

    kinds = asyncio.run(run())
    postgres.drop(dsn)
    wanted = {kind for kind, row in KINDS.items() if row.delivery == "at-least-once"} - {"invitation"}
    assert sorted(kinds) == sorted(wanted)


def test_a_month_that_was_released_before_a_restore_is_not_released_again(postgres: Cluster) -> None:
    dsn = postgres.migrated()

    async def run() -> None:
        async with connections.connected(dsn, "nocontent_biller") as biller:
            await biller.execute(_RELEASE)
            (line,) = await insights.ledger(biller)
            spent = Fraction(line.epsilon_millionths, 10**6), Fraction(line.delta_billionths, 10**9)
            assert (line.month, line.scheme, *spent) == (date(2026, 10, 1), SCHEME, EPSILON_MAX, DELTA)
            with pytest.raises(MonthReleased):
                await release.release(biller, date(2026, 10, 1))

    asyncio.run(run())
    postgres.drop(dsn)
