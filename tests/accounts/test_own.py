"""Acts on the own account: they ask for the password, end other sessions, and give the own one a new id."""

import asyncpg
import pytest

from ingest.accounts import own, signing_in
from ingest.accounts.errors import BadCode, BadPassword, BadSignIn, Throttled, TotpState, WeakPassword
from ingest.accounts.own import PasswordChange
from ingest.accounts.sessions import Session
from ingest.accounts.signing_in import Accounts
from ingest.accounts.throttle import CONFIRM
from ingest.store.accounts import people, sessions
from ingest.store.accounts.errors import BadDetails, NotAllowed
from tests.support import accounts
from tests.support.accounts import PASSWORD, VISITOR, Member
from tests.support.cluster import operator

_NEW = "another mandarin 88"


async def _session(signing: Accounts, member: Member) -> Session:
    found = await accounts.session_of(signing, member.cookie)
    assert found is not None
    return found


async def test_a_new_password_ends_other_sessions_and_renews_the_own_one(
    signing: Accounts, member: Member, people_database: str
) -> None:
    other = await accounts.signed_in(people_database, member.tenant_id, member.person_id)
    session = await _session(signing, member)
    cookie = await own.change_password(signing, session, PasswordChange(PASSWORD, _NEW), VISITOR)
    assert await accounts.session_of(signing, other) is None
    assert await accounts.session_of(signing, member.cookie) is None
    renewed = await accounts.session_of(signing, cookie)
    assert renewed is not None
    assert renewed.session_id == session.session_id
    with pytest.raises(BadSignIn):
        await accounts.sign_in(signing, member)
    assert await accounts.sign_in(signing, member, _NEW)


async def test_a_wrong_or_weak_password_changes_nothing(signing: Accounts, member: Member) -> None:
    session = await _session(signing, member)
    with pytest.raises(BadPassword):
        await own.change_password(signing, session, PasswordChange("wrong", _NEW), VISITOR)
    with pytest.raises(WeakPassword) as weak:
        await own.change_password(signing, session, PasswordChange(PASSWORD, "short"), VISITOR)
    assert weak.value.weakness == "too-short"
    assert await accounts.session_of(signing, member.cookie) is not None
    assert await accounts.sign_in(signing, member)


async def test_the_password_cannot_be_guessed_from_a_session(signing: Accounts, member: Member) -> None:
    session = await _session(signing, member)
    for _ in range(CONFIRM.attempts_max):
        with pytest.raises(BadPassword):
            await own.require_password(signing, session, "wrong", VISITOR)
    with pytest.raises(Throttled):
        await own.require_password(signing, session, PASSWORD, VISITOR)


async def test_codes_are_in_force_once_one_was_entered(signing: Accounts, member: Member) -> None:
    session = await _session(signing, member)
    async with signing.connect() as connection, sessions.entered(connection, session.digest):
        with pytest.raises(TotpState):
            await own.confirm_totp(connection, "000000")
        begun = await own.begin_totp(connection, session)
        assert await own.enrolment(connection, session) == begun
        with pytest.raises(BadCode):
            await own.confirm_totp(connection, "x")
        with pytest.raises(TotpState):
            await own.renew_codes(connection)
    assert not (await accounts.sign_in(signing, member)).awaits_totp
    _, codes = await accounts.with_totp(signing, member)
    assert (await accounts.sign_in(signing, member)).awaits_totp
    async with signing.connect() as connection, sessions.entered(connection, session.digest):
        with pytest.raises(TotpState):
            await own.begin_totp(connection, session)
        assert await own.enrolment(connection, session) is None
        renewed = await own.renew_codes(connection)
    waiting = VISITOR._replace(cookie=(await accounts.sign_in(signing, member)).cookie.value)
    with pytest.raises(BadCode):
        await signing_in.enter_code(signing, codes[0], waiting)
    assert await signing_in.enter_code(signing, renewed[0], waiting)
    with pytest.raises(BadPassword):
        await own.end_totp(signing, session, "wrong", VISITOR)
    await own.end_totp(signing, session, PASSWORD, VISITOR)
    assert not (await accounts.sign_in(signing, member)).awaits_totp


async def test_signing_out_everywhere_ends_all_or_all_others(
    signing: Accounts, member: Member, people_database: str
) -> None:
    for _ in range(2):
        await accounts.signed_in(people_database, member.tenant_id, member.person_id)
    session = await _session(signing, member)
    async with signing.connect() as connection:
        async with sessions.entered(connection, member.cookie.digest):
            listed = await sessions.list_own(connection, member.tenant_id, member.person_id)
            other = next(each for each in listed if each.session_id != session.session_id)
            assert await sessions.end_own(connection, other.session_id)
            assert not await sessions.end_own(connection, other.session_id)
            assert await sessions.end_all_own(connection, keeps_this_one=True) == 1
        assert await accounts.session_of(signing, member.cookie) is not None
        async with sessions.entered(connection, member.cookie.digest):
            assert await sessions.end_all_own(connection, keeps_this_one=False) == 1
    assert await accounts.session_of(signing, member.cookie) is None


async def test_a_session_of_somebody_else_cannot_be_ended(
    signing: Accounts, member: Member, people_database: str
) -> None:
    other = await accounts.member(people_database, member.tenant, "admin")
    async with signing.connect() as connection, sessions.entered(connection, member.cookie.digest):
        (listed,) = await sessions.list_own(connection, other.tenant_id, other.person_id)
        assert not await sessions.end_own(connection, listed.session_id)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a" * 65,
        "<b>A</b>",
        "A\nB",
        "A  B",
        "=1+1",
        "@A",
        "A&B",
        'A"',
        "one two three four five six seven",
        "A1",
        "A\u202ereviewer",
        "A\u2067B",
    ],
)
async def test_a_name_has_no_markup_and_is_no_sentence(signing: Accounts, member: Member, name: str) -> None:
    with pytest.raises(BadDetails):
        async with signing.connect() as connection, sessions.entered(connection, member.cookie.digest):
            await people.set_own_details(connection, name, "UTC")


@pytest.mark.parametrize(
    "refused",
    [
        "set_own_details('<b>', 'UTC')",
        "set_own_details('A', NULL)",
        "invite_person('x', 'A', 'analyst', 'UTC', sha256(''))",
        "invite_person(NULL, 'A', 'analyst', 'UTC', sha256(''))",
        "invite_person($1, 'A', 'analyst', 'UTC', sha256(''))",
        "manage_person($2, 'role', 'king')",
        "manage_person($2, 'role', NULL)",
    ],
)
async def test_postgresql_logs_no_row_of_people(signing: Accounts, member: Member, refused: str) -> None:
    """Its log has what a client is sent: in DETAIL, for a broken constraint, the row with its secrets."""
    await accounts.with_totp(signing, member)
    statement = f"SELECT nocontent.{refused}, $1::text, $2::uuid"
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as raised:
        async with signing.connect() as connection, sessions.entered(connection, member.cookie.digest):
            await connection.execute(statement, member.email, member.person_id)
    told = raised.value.as_dict()
    assert told.get("detail") is None
    assert member.email not in str(told)


@pytest.mark.parametrize(
    "name",
    [
        "A",
        "Zo\u00eb O'Neill-Smith",
        "\u0410\u043d\u043d\u0430",
        "\u5c71\u7530 \u592a\u90ce",
        "Dr. J. van den Berg, Jr.",
    ],
)
async def test_a_name_may_be_of_any_script(signing: Accounts, member: Member, name: str) -> None:
    async with signing.connect() as connection, sessions.entered(connection, member.cookie.digest):
        await people.set_own_details(connection, name, "Europe/Amsterdam")
    person = (await _session(signing, member)).person
    assert (person.name, person.time_zone) == (name, "Europe/Amsterdam")


async def test_without_a_session_there_is_no_account_to_act_on(signing: Accounts, people_database: str) -> None:
    async with signing.connect() as connection, connection.transaction():
        for act in (
            people.set_own_details(connection, "A", "UTC"),
            sessions.end_all_own(connection, keeps_this_one=True),
        ):
            with pytest.raises(NotAllowed):
                async with connection.transaction():
                    await act
    async with operator(people_database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM sessions WHERE digest = $1", bytes(32)) == 0
