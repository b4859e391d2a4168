"""Releases of many tenants' sums in a real database, each month once; what leaves a tenant out."""

import asyncio
from datetime import date
from fractions import Fraction

import asyncpg
import msgspec
import pytest

from ingest.errors import CannotStart
from ingest.insights import document, release
from ingest.insights.document import UNIT_OF_PRIVACY, Document
from ingest.insights.sampler import Draw, discrete_laplace
from ingest.store import connections, insights
from ingest.store.errors import MonthReleased
from tests.support import cluster, customers, many_tenants
from tests.support.many_tenants import ROUTE, TENANTS

_ADD = """
SELECT nocontent.add_insight_release(
    $1, 1::smallint, 1000000, 1000, ARRAY[$2::smallint], '{1}', '{1}', '{1}', '{1}', '{1}', '{1}'
)
"""
_WRITTEN = "SELECT epsilon_millionths FROM insight_releases WHERE month = $1"


def _no_noise(_scale: Fraction) -> int:
    return 0


async def _released(dsn: str, month: date, draw: Draw = _no_noise) -> Document:
    async with connections.connected(dsn, "nocontent_biller") as connection:
        await release.release(connection, month, draw)
    return await _read(dsn, month)


async def _read(dsn: str, month: date) -> Document:
    async with connections.connected(dsn, "nocontent_console") as connection:
        found = await document.read(connection, month)
    assert found is not None
    return found


def _release(dsn: str, month: date, draw: Draw = _no_noise) -> Document:
    return asyncio.run(_released(dsn, month, draw))


def _set(dsn: str, *, takes_part: bool) -> None:
    customers.act(dsn, lambda connection: insights.set_takes_part(connection, 7, takes_part=takes_part))


def test_a_release_has_means_over_tenants_and_its_parameters(crowded: str) -> None:
    month = date(2024, 1, 1)
    many_tenants.use(crowded, month)
    found = _release(crowded, month)
    (row,) = found.routes
    assert (row.task_category, row.requested_model, row.routed_model) == ROUTE
    assert (row.weight, row.share, row.savings, row.coverage) == (TENANTS, 1.0, 0.25, 0.5)
    assert row.latency_ms == round(2 * 1.1**90 / 2.1)
    assert found.other is None
    assert (found.month, found.unit_of_privacy) == ("2024-01", UNIT_OF_PRIVACY)
    assert (found.parameters.epsilon, found.parameters.delta) == (1.0, 1e-6)
    assert found.parameters.thresholds.tenants_min == 10
    assert sum(found.parameters.epsilon_of.values()) == 1.0
    assert msgspec.json.decode(document.encode(found), type=Document) == found


def test_a_month_is_released_once(crowded: str) -> None:
    month = date(2024, 2, 1)
    many_tenants.use(crowded, month)
    first = _release(crowded, month, discrete_laplace)
    with pytest.raises(MonthReleased):
        _release(crowded, month, discrete_laplace)
    assert asyncio.run(_read(crowded, month)) == first
    assert cluster.fetch(crowded, _WRITTEN, month)[0][0] == 1_000_000


def test_of_two_releases_at_once_one_is_refused(crowded: str) -> None:
    month = date(2024, 3, 1)
    many_tenants.use(crowded, month)

    async def both() -> list[Document | BaseException]:
        return await asyncio.gather(*(_released(crowded, month) for _ in range(2)), return_exceptions=True)

    outcomes = asyncio.run(both())
    assert sorted(type(each).__name__ for each in outcomes) == ["Document", "MonthReleased"]


def test_a_release_that_is_cut_off_has_spent_nothing(crowded: str) -> None:
    month = date(2024, 4, 1)
    many_tenants.use(crowded, month)

    def dies(_scale: Fraction) -> int:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        _release(crowded, month, dies)
    assert cluster.fetch(crowded, _WRITTEN, month) == []
    assert len((_release(crowded, month)).routes) == 1


def test_a_tenant_is_left_out_from_the_next_release_on(crowded: str) -> None:
    months = [date(2024, number, 1) for number in (5, 6, 7)]
    for month in months:
        many_tenants.use(crowded, month)
    weights = [(_release(crowded, months[0])).routes[0].weight]
    _set(crowded, takes_part=False)
    weights.append((_release(crowded, months[1])).routes[0].weight)
    _set(crowded, takes_part=True)
    weights.append((_release(crowded, months[2])).routes[0].weight)
    assert weights == [TENANTS, TENANTS - 1, TENANTS]
    acts = cluster.fetch(crowded, "SELECT act FROM audit WHERE tenant_id = 7")
    assert [row["act"] for row in acts] == ["tenant.set-insights"] * 2


def test_a_tenant_that_is_being_erased_takes_no_part(crowded: str) -> None:
    month = date(2024, 8, 1)
    many_tenants.use(crowded, month)
    record = "INSERT INTO erasures (tenant_id, erasure_id, scope, revision) VALUES (9, gen_random_uuid(), 'tenant', 0)"
    cluster.fetch(crowded, record)
    assert (_release(crowded, month)).routes[0].weight == TENANTS - 1
    cluster.fetch(crowded, "DELETE FROM erasures WHERE tenant_id = 9")


def test_nine_tenants_release_nothing_and_spend_the_month(crowded: str) -> None:
    month = date(2024, 9, 1)
    many_tenants.use(crowded, month)
    cluster.fetch(crowded, "UPDATE tenants SET insights = tenant_id < 10")
    found = _release(crowded, month, lambda scale: int(100 * scale))
    cluster.fetch(crowded, "UPDATE tenants SET insights = true")
    assert (found.routes, found.other) == ([], None)
    with pytest.raises(MonthReleased):
        _release(crowded, month)


def test_a_month_that_is_not_whole_is_not_released(crowded: str) -> None:
    with pytest.raises(CannotStart, match="has not ended"):
        _release(crowded, date(2999, 12, 1))
    mark = "INSERT INTO usage_marks (tenant_id, first, last, events) VALUES (1, '2024-10-31', '2024-10-31', 0)"
    cluster.fetch(crowded, mark)
    with pytest.raises(CannotStart, match="not in the sums yet"):
        _release(crowded, date(2024, 10, 1))
    cluster.fetch(crowded, "DELETE FROM usage_marks WHERE last < '2024-11-01'")
    cluster.fetch(crowded, "UPDATE retention SET usage_days = 100")
    with pytest.raises(CannotStart, match="older than their retention"):
        _release(crowded, date(2024, 10, 1))
    cluster.fetch(crowded, "UPDATE retention SET usage_days = NULL")


def test_the_database_itself_refuses_a_month_to_come_and_a_tenants_own_term(crowded: str) -> None:
    cases = {
        (date(2999, 1, 1), 1): asyncpg.ObjectNotInPrerequisiteStateError,
        (date(2023, 1, 1), 128): asyncpg.CheckViolationError,
        (date(2023, 1, 2), 1): asyncpg.CheckViolationError,
    }

    async def refused() -> None:
        async with connections.connected(crowded, "nocontent_biller") as connection:
            for given, error in cases.items():
                with pytest.raises(error):
                    await connection.execute(_ADD, *given)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("DELETE FROM nocontent.insight_releases")
            await connection.execute(_ADD, date(2023, 1, 1), 1)

    asyncio.run(refused())
