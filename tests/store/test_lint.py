"""The lint of the catalog: the migrated schema passes, and each rule finds its offenders."""

import pytest

from ingest.store.other_tables import OTHER_TABLES
from tests.support import lint
from tests.support.cluster import operator
from tests.support.lint import Rule

_PLANTS = [(rule, name) for rule in lint.RULES for name in rule.plants]
_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'nocontent'::regnamespace AND relkind IN ('r', 'p')"


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.id)
async def test_the_schema_breaks_no_rule(shared_database: str, rule: Rule) -> None:
    async with operator(shared_database) as connection:
        assert await lint.offenders(connection, rule) == set(), rule.says


@pytest.mark.parametrize(("rule", "name"), _PLANTS, ids=lambda value: value if isinstance(value, str) else value.id)
async def test_what_breaks_a_rule_is_named(shared_database: str, rule: Rule, name: str) -> None:
    async with operator(shared_database) as connection:
        planting = connection.transaction()
        await planting.start()
        await connection.execute(rule.plants[name])
        assert name in await lint.offenders(connection, rule)
        await planting.rollback()


async def test_every_table_on_the_list_of_others_is_without_a_tenant(shared_database: str) -> None:
    async with operator(shared_database) as connection:
        tables = {row["relname"] for row in await connection.fetch(_TABLES)}
        with_tenant = "SELECT count(*) FROM information_schema.columns WHERE table_name = $1 AND column_name = $2"
        for name in OTHER_TABLES:
            assert name in tables
            assert await connection.fetchval(with_tenant, name, "tenant_id") == 0
    assert {*lint.DISTRIBUTED, *lint.REFERENCE} <= tables


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in lint.RULES}) == len(lint.RULES)
