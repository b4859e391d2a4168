"""Acts on others: who may do them is the database's to say, for every role, and a tenant keeps an owner."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import get_args
from uuid import UUID, uuid4

import pytest

from ingest.accounts import managing, signing_in
from ingest.accounts.errors import LinkOver
from ingest.accounts.roles import ROLES, Role, may_manage
from ingest.accounts.signing_in import Accounts
from ingest.store.accounts import people, sessions
from ingest.store.accounts.errors import AddressTaken, BadDetails, LastOwner, NotAllowed, PersonUnknown
from ingest.store.connections import Connection
from tests.support import accounts
from tests.support.accounts import PASSWORD, Member
from tests.support.cluster import operator

_ACTS: dict[str, Callable[[Connection, UUID], Awaitable[object]]] = {
    "role": lambda connection, person: managing.set_role(connection, person, "auditor"),
    "disable": managing.disable,
    "enable": managing.enable,
    "remove": managing.remove,
    "sign-out": managing.sign_out_everywhere,
    "end-totp": managing.end_totp,
    "invite again": managing.invite_again,
}


def test_every_act_is_tried() -> None:
    assert _ACTS.keys() >= set(get_args(people.ManagedAct))


@pytest.fixture
async def people_of_acme(member: Member, people_database: str) -> dict[Role, Member]:
    """Return a member of each role, beside the owner who has a password."""
    made: dict[Role, Member] = {"owner": member}
    for role in ROLES[1:]:
        made[role] = await accounts.member(people_database, member.tenant, role)
    return made


async def _is_allowed(
    signing: Accounts, actor: Member, act: Callable[[Connection, UUID], Awaitable[object]], person: UUID
) -> bool:
    """Return whether a person may act; nothing is changed."""
    async with signing.connect() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await sessions.enter(connection, actor.cookie.digest)
            await act(connection, person)
        except NotAllowed:
            return False
        finally:
            await transaction.rollback()
    return True


async def test_only_owners_and_admins_act_on_people_and_no_admin_on_an_owner(
    signing: Accounts, people_of_acme: dict[Role, Member], people_database: str
) -> None:
    async with operator(people_database) as connection:
        second = await connection.fetchval(
            "SELECT nocontent.add_person($1, 'second@example.com', 'Second', 'owner', 'UTC')",
            people_of_acme["owner"].tenant_id,
        )
    others = {role: member.person_id for role, member in people_of_acme.items()} | {"owner": second}
    for role, actor in people_of_acme.items():
        for other, person_id in others.items():
            for what, act in _ACTS.items():
                allowed = await _is_allowed(signing, actor, act, person_id)
                assert allowed is may_manage(role, other), (role, what, other)


async def _set_role(new: Role, connection: Connection, person: UUID) -> None:
    await managing.set_role(connection, person, new)


async def _invite(new: Role, connection: Connection, _person: UUID) -> None:
    await managing.invite(connection, "new@example.com", "New", new)


async def test_only_an_owner_makes_owners(signing: Accounts, people_of_acme: dict[Role, Member]) -> None:
    analyst = people_of_acme["analyst"].person_id
    for role, actor in people_of_acme.items():
        for new in ROLES:
            promoted = await _is_allowed(signing, actor, partial(_set_role, new), analyst)
            invited = await _is_allowed(signing, actor, partial(_invite, new), analyst)
            assert promoted is invited is may_manage(role, new), (role, new)


async def test_people_of_another_tenant_are_not_there(signing: Accounts, member: Member, people_database: str) -> None:
    other = await accounts.member(people_database, f"{member.tenant}-other")
    for person_id in (other.person_id, uuid4()):
        for what, act in _ACTS.items():
            with pytest.raises(PersonUnknown):
                async with signing.connect() as connection, sessions.entered(connection, member.cookie.digest):
                    assert await act(connection, person_id) is None, what
    assert await accounts.session_of(signing, other.cookie) is not None


async def test_a_tenant_keeps_an_owner_who_can_sign_in(signing: Accounts, member: Member, people_database: str) -> None:
    waiting = await accounts.member(people_database, member.tenant, "admin")
    await accounts.change(people_database, "people", waiting, "role = 'owner'")  # Has not accepted yet.
    for what in ("role", "disable", "remove"):
        with pytest.raises(LastOwner):
            async with signing.connect() as connection, sessions.entered(connection, member.cookie.digest):
                await _ACTS[what](connection, member.person_id)
    assert await accounts.session_of(signing, member.cookie) is not None


async def test_who_is_invited_sets_a_password_and_signs_in(signing: Accounts, member: Member) -> None:
    async with signing.connect() as connection, sessions.entered(connection, member.cookie.digest):
        invited = await managing.invite(connection, " New.Person@Example.COM ", "New  Person", "analyst")
        assert invited.link.secret not in repr(invited)
        assert invited.link.url("https://console.example.com/").startswith("https://console.example.com/link/")
    linked = await signing_in.set_password(signing, invited.link.secret, PASSWORD)
    assert (linked.kind, linked.person.email, linked.person.name) == (
        "invitation", "new.person@example.com", "New Person",
    )  # fmt: skip
    with pytest.raises(LinkOver):
        await signing_in.set_password(signing, invited.link.secret, PASSWORD)
    signed_in = await accounts.sign_in(signing, member._replace(email="new.person@example.com"))
    session = await accounts.session_of(signing, signed_in.cookie)
    assert session is not None
    assert session.person.role == "analyst"


async def test_an_address_is_once_in_a_tenant(signing: Accounts, member: Member) -> None:
    with pytest.raises(AddressTaken):
        async with signing.connect() as connection, sessions.entered(connection, member.cookie.digest):
            await managing.invite(connection, member.email.upper(), "A", "analyst")


@pytest.mark.parametrize(
    "email",
    ["", "a", "@", "a@", "@b", "a b@c.example", "a@b..example", "a@-b.example", "<a@b.example>", "a@b.ex\nample",
     "a" * 300, "a@b.example,c@d.example", "\u00e9@b.example", "a@b.example\0", "=cmd@b.example'"],
)  # fmt: skip
async def test_what_is_no_address_is_not_invited(signing: Accounts, member: Member, email: str) -> None:
    with pytest.raises(BadDetails):
        async with signing.connect() as connection, sessions.entered(connection, member.cookie.digest):
            await managing.invite(connection, email, "A", "analyst")


async def test_a_change_of_the_role_ends_sessions_and_a_reset_needs_a_password(
    signing: Accounts, people_of_acme: dict[Role, Member]
) -> None:
    owner, admin = people_of_acme["owner"], people_of_acme["admin"]
    async with signing.connect() as connection, sessions.entered(connection, owner.cookie.digest):
        await managing.set_role(connection, admin.person_id, "analyst")
    assert await accounts.session_of(signing, admin.cookie) is None
    with pytest.raises(PersonUnknown):
        async with signing.connect() as connection, sessions.entered(connection, owner.cookie.digest):
            await managing.reset(connection, admin.person_id)
    async with signing.connect() as connection, sessions.entered(connection, owner.cookie.digest):
        link = await managing.reset(connection, owner.person_id)
    assert await signing_in.set_password(signing, link.secret, PASSWORD)


async def test_a_link_of_an_admins_is_no_key_to_who_becomes_an_owner(
    signing: Accounts, people_of_acme: dict[Role, Member]
) -> None:
    owner, admin = people_of_acme["owner"], people_of_acme["admin"]
    async with signing.connect() as connection, sessions.entered(connection, admin.cookie.digest):
        invited = await managing.invite(connection, "next@example.com", "The next owner", "analyst")
    async with signing.connect() as connection, sessions.entered(connection, owner.cookie.digest):
        await managing.set_role(connection, invited.person_id, "owner")
    with pytest.raises(LinkOver):
        await signing_in.set_password(signing, invited.link.secret, PASSWORD)
    async with signing.connect() as connection, sessions.entered(connection, owner.cookie.digest):
        again = await managing.invite_again(connection, invited.person_id)
    assert await signing_in.set_password(signing, again.secret, PASSWORD)


@pytest.mark.parametrize("what", ["disable", "invite again", "end-totp"])
async def test_an_admin_is_not_in_time_before_somebody_is_an_owner(
    signing: Accounts, people_of_acme: dict[Role, Member], what: str
) -> None:
    owner, admin, analyst = (people_of_acme[role] for role in ("owner", "admin", "analyst"))

    async def act() -> None:
        async with signing.connect() as connection, sessions.entered(connection, admin.cookie.digest):
            await _ACTS[what](connection, analyst.person_id)

    async with signing.connect() as connection:
        async with sessions.entered(connection, owner.cookie.digest):
            await managing.set_role(connection, analyst.person_id, "owner")
            acting = asyncio.create_task(act())
            assert await asyncio.wait([acting], timeout=0.3) == (set(), {acting})
        with pytest.raises(NotAllowed):
            await acting


async def test_each_act_is_audited_by_who_and_whom(
    signing: Accounts, people_of_acme: dict[Role, Member], people_database: str
) -> None:
    owner, admin = people_of_acme["owner"], people_of_acme["admin"]
    for act in (managing.end_totp, managing.sign_out_everywhere, managing.disable, managing.enable, managing.remove):
        async with signing.connect() as connection, sessions.entered(connection, owner.cookie.digest):
            await act(connection, admin.person_id)
    async with operator(people_database) as connection:
        rows = await connection.fetch(
            "SELECT act, subject_id FROM audit WHERE person_id = $1 AND subject_id IS NOT NULL ORDER BY audit_id",
            owner.person_id,
        )
        left = await connection.fetchval("SELECT count(*) FROM people WHERE person_id = $1", admin.person_id)
    assert [row["act"].removeprefix("account.") for row in rows] == [
        "end-totp", "sign-out-everywhere", "disable", "enable", "remove",
    ]  # fmt: skip
    assert {row["subject_id"] for row in rows} == {admin.person_id}
    assert left == 0
