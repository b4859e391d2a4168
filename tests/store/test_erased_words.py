"""A word that was erased is not learned again from traffic, whoever comes first; an operator may add it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ingest.store import acts, connections, erased_words, tenants, vocabulary
from ingest.store.connections import Connection
from ingest.store.errors import BudgetSpent
from schema.event import Kind
from schema.learning import Candidate
from tests.support.tombstones import record

SALT = bytes(range(32))


@pytest.fixture
async def control(database: str) -> AsyncIterator[Connection]:
    async with connections.connected(database, "nocontent_control") as connection:
        yield connection


@pytest.fixture
async def word(control: Connection) -> Candidate:
    """Return a candidate of a tenant's tag `team`."""
    assert await tenants.add(control, "acme") == 1
    assert await vocabulary.declare_tag(control, 1, "team") is None
    key_id = await vocabulary.tag_key_id(control, 1, "team")
    assert key_id is not None
    return Candidate(Kind.TAG_VALUE, key_id, "payments-eu")


async def erase(connection: Connection, word: Candidate, term_id: int) -> None:
    """Erase a word in one act, as far as the vocabulary is concerned."""
    kind, parent, term = word
    async with acts.act(connection) as act:
        erasure_id = await record(connection, "tag", first=None, last=await connection.fetchval("SELECT now()"),
                                  term_id=term_id)  # fmt: skip
        await connection.execute(
            "INSERT INTO erased_words VALUES (1, $1, $2, $3, $4, $5, now() + interval '30 days')",
            erasure_id, kind, parent, erased_words.digest(SALT, term), SALT,
        )  # fmt: skip
        await connection.execute(
            "UPDATE vocabulary SET term = 'erased-' || term_id, learned = false, retired_at = now(), revision = $1"
            " WHERE tenant_id = 1 AND kind = 5 AND term_id = $2",
            act.revision, term_id,
        )  # fmt: skip


async def test_an_erased_word_is_not_learned_until_its_digest_is_gone(
    writer: Connection, owner: Connection, word: Candidate
) -> None:
    learned = await vocabulary.learn(writer, 1, [word])
    await erase(owner, word, learned[word])
    sibling = word._replace(term="payments-us")
    for wanted in ([word], [sibling, word]):
        with pytest.raises(BudgetSpent):
            await vocabulary.learn(writer, 1, wanted)
    assert await owner.fetchval("SELECT count(*) FROM vocabulary WHERE term LIKE 'payments%'") == 0
    assert [*await vocabulary.learn(writer, 1, [sibling])] == [sibling]
    await owner.execute("DELETE FROM erased_words")
    again = await vocabulary.learn(writer, 1, [word])
    assert again[word] > learned[word]


async def test_an_erased_word_is_erased_for_its_tenant_and_key_alone(
    writer: Connection, control: Connection, owner: Connection, word: Candidate
) -> None:
    learned = await vocabulary.learn(writer, 1, [word])
    await erase(owner, word, learned[word])
    assert await tenants.add(control, "other") == 2
    assert await vocabulary.declare_tag(control, 2, "team") is None
    assert await vocabulary.declare_tag(control, 1, "region") is None
    region = await vocabulary.tag_key_id(control, 1, "region")
    assert region is not None
    assert await vocabulary.learn(writer, 1, [word._replace(parent=region)])
    assert await vocabulary.learn(writer, 2, [word])


async def test_an_operator_may_add_an_erased_word_under_a_new_id(
    writer: Connection, control: Connection, owner: Connection, word: Candidate
) -> None:
    learned = await vocabulary.learn(writer, 1, [word])
    await erase(owner, word, learned[word])
    assert await vocabulary.register(control, 1, word) is vocabulary.Outcome.REGISTERED
    known = await vocabulary.learn(writer, 1, [word])  # A worker that has not heard of it.
    assert known[word] > learned[word]
    query = "SELECT term FROM vocabulary WHERE tenant_id = 1 AND kind = 5 AND term_id = $1"
    assert await owner.fetchval(query, learned[word]) == f"erased-{learned[word]}"


async def test_a_word_learned_at_the_same_moment_is_erased_or_refused(
    database: str, owner: Connection, word: Candidate
) -> None:
    """The row lock of an act orders them: the word is never there afterwards."""
    async with connections.connected(database, "nocontent_writer") as writer:
        for number in range(20):
            new = word._replace(term=f"payments-{number}")
            term_id = (await vocabulary.learn(writer, 1, [new]))[new]
            learning = [asyncio.create_task(_learn(database, new)) for _ in range(3)]
            await asyncio.sleep(0.002 * (number % 5))
            await erase(owner, new, term_id)
            assert set(await asyncio.gather(*learning)) <= {term_id, None}
            assert await _learn(database, new) is None
    assert await owner.fetchval("SELECT count(*) FROM vocabulary WHERE term LIKE 'payments%'") == 0


async def _learn(database: str, word: Candidate) -> int | None:
    async with connections.connected(database, "nocontent_writer") as writer:
        try:
            return (await vocabulary.learn(writer, 1, [word]))[word]
        except BudgetSpent:
            return None
