"""People in an export, in an archive of access and in an erasure: all that is held, and no hash and no secret."""

import asyncio
import base64
import zipfile
from pathlib import Path

import pytest

from ingest.accounts.passwords import Passwords
from ingest.accounts.signing_in import Accounts
from ingest.store import connections
from ingest.store.rights import erasures
from ingest.store.rights.erasures import Subject
from tests.support import accounts, cluster, erasing
from tests.support.accounts import KEYS, PASSWORD, Lender, Member
from tests.support.command import Run

_TABLES = ("people", "sessions", "account_links", "recovery_codes", "outbox", "mail_preferences")
_MAIL = """
INSERT INTO outbox (tenant_id, kind, person_id, ids, numbers, cause)
VALUES ($1, 'invoice', $2::uuid, ARRAY[$2::uuid], '{1}', gen_random_uuid());
"""
_DECLINED = "INSERT INTO mail_preferences (tenant_id, person_id, mail_group) VALUES ($1, $2, 'alert')"
_SECRETS = """
SELECT convert_to(password_hash, 'UTF8') AS secret FROM people UNION ALL SELECT totp_secret FROM people
UNION ALL SELECT unnest(places) FROM people UNION ALL SELECT digest FROM sessions
UNION ALL SELECT digest FROM account_links UNION ALL SELECT digest FROM recovery_codes
"""


@pytest.fixture
def member(database: str) -> Member:
    """Return a person with everything that is held of one, beside another tenant's."""

    async def fill() -> Member:
        pool = Passwords(wait_s=60)
        lender = Lender(database)
        signing = Accounts(lender.connect, lambda: KEYS, pool)
        try:
            await accounts.member(database, "globex")
            made = await accounts.member(database, "acme")
            await accounts.give_password(database, made, await pool.hash(PASSWORD))
            await accounts.sign_in(signing, made)
            await accounts.with_totp(signing, made)
            await accounts.link(database, made, "reset")
            async with cluster.operator(database) as owner:
                for statement in (_MAIL, _DECLINED):
                    await owner.execute(statement, made.tenant_id, made.person_id)
        finally:
            await lender.close()
            pool.close()
        return made

    return asyncio.run(fill())


def _counts(dsn: str, tenant_id: int) -> list[int]:
    asked = " UNION ALL ".join(f"SELECT count(*) FROM {table} WHERE tenant_id = {tenant_id}" for table in _TABLES)
    return [row["count"] for row in cluster.fetch(dsn, asked)]


def _contents(folder: Path) -> bytes:
    found = []
    for path in folder.rglob("*"):
        if path.suffix == ".zip":
            archive = zipfile.ZipFile(path)
            found += [archive.read(name) for name in archive.namelist()]
        elif path.is_file():
            found.append(path.read_bytes())
    return b"".join(found)


@pytest.mark.parametrize("command", ["export acme {}/out --format jsonl", "access --tenant acme {}"])
def test_a_copy_has_people_and_no_secret(run: Run, database: str, member: Member, tmp_path: Path, command: str) -> None:
    status, _, errors = run(command.format(tmp_path))
    assert (status, errors) == (0, "")
    whole = _contents(tmp_path)
    assert member.email.encode() in whole
    assert str(member.person_id).encode() in whole
    assert f'"ids":["{member.person_id}"],"numbers":[1]'.encode() in whole
    assert b"globex.example.com" not in whole
    secrets = [row["secret"] for row in cluster.fetch(database, _SECRETS) if row["secret"] is not None]
    assert len(secrets) >= 15
    for secret in secrets:
        forms = (secret, secret.hex().encode(), base64.b64encode(secret), base64.b32encode(secret))
        assert not any(form in whole for form in forms)


def test_an_erasure_of_the_tenant_deletes_its_people(
    database: str, member: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in erasing.settings(tmp_path / "erasures").items():
        monkeypatch.setenv(name, value)
    other = member.tenant_id - 1
    before = _counts(database, member.tenant_id)
    assert all(before)
    kept = _counts(database, other)

    async def erase() -> dict[str, int]:
        async with connections.connected(database, "nocontent_control") as control:
            recorded = await erasures.record(control, Subject(member.tenant_id, "tenant"))
        await erasing.reach(database, "finished")
        async with cluster.operator(database) as owner:
            return {count.table: count.erased for count in await erasures.counts(owner, recorded)}

    counted = asyncio.run(erase())
    assert [counted[table] for table in _TABLES] == before
    assert _counts(database, member.tenant_id) == [0] * len(_TABLES)
    assert _counts(database, other) == kept
    named = "SELECT count(*) FROM audit WHERE tenant_id = $1 AND num_nonnulls(person_id, subject_id) > 0"
    assert cluster.fetch(database, named, member.tenant_id)[0]["count"] == 0
    assert cluster.fetch(database, named, other)[0]["count"] > 0
