"""The benchmark writes to our tables without the service; it must follow them when they change."""

import asyncio

from bench import accounts, cluster, filling, reads
from bench.filling import Shape
from bench.questions import QUESTIONS
from bench.workload import TAGS

DAYS, ROWS, TENANTS = 3, 600, 60


def test_accounts_a_history_and_the_queries_fit_the_tables(database: str) -> None:
    tokens = accounts.enroll(database, TENANTS, TAGS)
    assert len(set(tokens)) == TENANTS
    asyncio.run(cluster.migrate_database(database, DAYS))
    filled: list[int] = []
    asyncio.run(filling.fill(database, ROWS, Shape(DAYS, TENANTS), filled.append))
    assert sum(filled) == cluster.count(database, cluster.EVENTS) == ROWS
    asyncio.run(reads.sum_all(database))
    found = asyncio.run(reads.ask(database))
    assert len(found) == sum(len(question.sources) for question in QUESTIONS) * len(reads.ASKED)
    assert all(0 < read.rows_read < ROWS for read in found if read.tenant == "largest")
    assert {(read.source, read.tenant) for read in found if read.plan} == reads.EXPLAINED
