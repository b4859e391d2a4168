"""Asking for a reset without a session: whether there is somebody makes no difference that the asker could notice."""

import pytest

from ingest.accounts import resetting
from ingest.accounts.errors import Throttled
from ingest.accounts.signing_in import Accounts, Visitor
from ingest.accounts.throttle import RESETS_ACCOUNT, RESETS_ACCOUNT_DAY, RESETS_ADDRESS
from tests.support import accounts
from tests.support.accounts import Member
from tests.support.cluster import operator

_VISITOR = Visitor("203.0.113.9", "")
_LETTERS = "SELECT count(*) FROM outbox WHERE kind = 'reset' AND person_id = $1"
_ROWS = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM audit)"


async def _count(dsn: str, query: str, *values: object) -> int:
    async with operator(dsn) as connection:
        return int(await connection.fetchval(query, *values))


async def test_whoever_has_the_address_gets_a_letter_and_a_line_of_the_audit(
    signing: Accounts, member: Member, people_database: str
) -> None:
    await resetting.ask_reset(signing, f" {member.tenant.upper()} ", member.email.upper(), _VISITOR)
    assert await _count(people_database, _LETTERS, member.person_id) == 1
    audited = "SELECT count(*) FROM audit WHERE act = 'account.ask-reset' AND subject_id = $1 AND person_id IS NULL"
    assert await _count(people_database, audited, member.person_id) == 1
    links = "SELECT count(*) FROM account_links WHERE person_id = $1"
    assert await _count(people_database, links, member.person_id) == 0  # It is made when the letter is sent.


@pytest.mark.parametrize(
    ("organisation", "email"),
    [
        ("{tenant}", "nobody@example.com"),
        ("nobody", "{email}"),
        ("", ""),
        ("{tenant}\0", "{email}"),
        ("{tenant}", "\ud800@example.com"),
        ("{tenant}", "' OR true --"),
        ("a" * 1_000_000, "b" * 1_000_000),
    ],
    ids=["address", "organisation", "nothing", "a NUL", "a surrogate", "SQL", "megabytes"],
)
async def test_nobody_leaves_no_row(
    signing: Accounts, member: Member, people_database: str, organisation: str, email: str
) -> None:
    before = await _count(people_database, _ROWS)
    await resetting.ask_reset(
        signing, organisation.format(**member._asdict()), email.format(**member._asdict()), _VISITOR
    )
    assert await _count(people_database, _ROWS) == before


@pytest.mark.parametrize("columns", ["disabled_at = now()", "password_hash = NULL, password_changed_at = NULL"])
async def test_somebody_who_may_not_sign_in_gets_none(
    signing: Accounts, member: Member, people_database: str, columns: str
) -> None:
    await accounts.change(people_database, "people", member, columns)
    before = await _count(people_database, _ROWS)
    await resetting.ask_reset(signing, member.tenant, member.email, _VISITOR)
    assert await _count(people_database, _ROWS) == before


async def test_an_address_that_exists_makes_no_difference(signing: Accounts, member: Member) -> None:
    """The same statements run; what they write is compared below, so no clock has to be."""
    asked: list[list[str]] = []
    for email in (member.email, "nobody@acme.example.com", member.email):
        asked.append([])
        await resetting.ask_reset(accounts.recording(signing, asked[-1]), member.tenant, email, _VISITOR)
    assert asked[0] == asked[1] == asked[2]
    assert len(asked[0]) == 2


async def test_the_work_for_nobody_is_written_and_taken_back(people_database: str, member: Member) -> None:
    """PostgreSQL's own counts: rows that were inserted, whether the transaction kept them or not."""
    counted = " + ".join(
        f"pg_stat_get_xact_tuples_inserted('nocontent.{each}'::regclass)" for each in ("outbox", "audit")
    )
    inserted = [0]
    async with operator(people_database) as connection, connection.transaction():
        for email in (member.email, "nobody@example.com"):
            await connection.execute("SELECT nocontent.ask_reset($1, $2)", member.tenant, email)
            inserted.append(await connection.fetchval(f"SELECT {counted}"))
    assert inserted == [0, 2, 4]


async def test_an_account_has_five_requests_an_hour_from_wherever_it_exists_or_not(
    signing: Accounts, member: Member, people_database: str
) -> None:
    for email in (member.email, "nobody@example.com"):
        for turn in range(RESETS_ACCOUNT.attempts_max):
            await resetting.ask_reset(signing, member.tenant, email, Visitor(f"198.51.100.{turn}", ""))
        with pytest.raises(Throttled) as throttled:
            await resetting.ask_reset(signing, member.tenant, email, Visitor("198.51.100.99", ""))
        assert 3_000 < throttled.value.retry_after_s <= RESETS_ACCOUNT.span_s
    assert await _count(people_database, _LETTERS, member.person_id) == RESETS_ACCOUNT.attempts_max


async def test_an_account_has_twenty_requests_a_day_from_wherever(
    signing: Accounts, member: Member, people_database: str
) -> None:
    """A mailbox is not filled hour by hour."""
    an_hour_later = "DELETE FROM sign_in_attempts WHERE until < now() + interval '1 hour'"
    for turn in range(RESETS_ACCOUNT_DAY.attempts_max):
        await resetting.ask_reset(signing, member.tenant, member.email, Visitor(f"198.51.100.{turn}", ""))
        async with operator(people_database) as connection:
            await connection.execute(an_hour_later)
    with pytest.raises(Throttled) as throttled:
        await resetting.ask_reset(signing, member.tenant, member.email, Visitor("198.51.100.99", ""))
    assert 80_000 < throttled.value.retry_after_s <= RESETS_ACCOUNT_DAY.span_s
    assert await _count(people_database, _LETTERS, member.person_id) == RESETS_ACCOUNT_DAY.attempts_max


async def test_an_address_has_twenty_requests_an_hour_whatever_it_asks(signing: Accounts, member: Member) -> None:
    for turn in range(RESETS_ADDRESS.attempts_max):
        await resetting.ask_reset(signing, member.tenant, f"{turn}@example.com", _VISITOR)
    with pytest.raises(Throttled):
        await resetting.ask_reset(signing, member.tenant, member.email, _VISITOR)
    await resetting.ask_reset(signing, member.tenant, member.email, Visitor("198.51.100.1", ""))
    assert await accounts.sign_in(signing, member, visitor=_VISITOR)  # Signing in has limits of its own.
