"""Tokens: a revoked token or disabled tenant is refused by every worker."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from ingest.intake.refresher import SNAPSHOT_AGE_S_MAX
from ingest.store import tenants as operator_tenants
from ingest.store import tokens
from ingest.store.connections import Connection
from tests.support import customers, sample
from tests.support.customers import Customer
from tests.support.service import Server, wait_until
from tests.support.wire import Sender


def test_a_revoked_token_is_refused_by_every_worker_within_seconds(
    server: Server, tenants: dict[str, Customer]
) -> None:
    tenant_id, token = tenants["revoked"]
    with server.one_to_each_worker(token) as senders:
        assert [sender.post(sample.body()).status for sender in senders] == [200, 200]
        assert customers.act(server.dsn, lambda connection: tokens.revoke(connection, tenant_id, token.split("_")[1]))
        started = time.monotonic()
        wait_until(lambda: {sender.post(sample.body()).status for sender in senders} == {401})
        assert time.monotonic() - started < SNAPSHOT_AGE_S_MAX
        assert {sender.post(sample.body()).problem for sender in senders} == {"revoked-token"}


def test_a_disabled_tenant_is_refused_by_every_worker_and_may_be_enabled_again(
    server: Server, tenants: dict[str, Customer]
) -> None:
    tenant_id, token = tenants["switched"]
    with server.one_to_each_worker(token) as senders:
        for is_disabled, status in ((True, 403), (False, 200)):
            customers.act(server.dsn, partial(_set_disabled, tenant_id=tenant_id, is_disabled=is_disabled))
            wait_until(partial(_all_answer, senders, status))


def test_a_new_token_works_on_every_worker_within_seconds(server: Server, tenants: dict[str, Customer]) -> None:
    tenant_id = tenants["main"].tenant_id
    token = customers.act(
        server.dsn, lambda connection: tokens.issue(connection, tenant_id, tokens.SCOPES_DEFAULT, None)
    )
    with server.one_to_each_worker(token) as senders:
        wait_until(lambda: {sender.post(sample.body()).status for sender in senders} == {200})


def test_a_sender_that_changes_to_a_tokens_successor_gets_no_401(server: Server, tenants: dict[str, Customer]) -> None:
    tenant_id = tenants["main"].tenant_id
    old = customers.act(server.dsn, lambda connection: tokens.issue(connection, tenant_id, ("events:write",), None))
    wait_until(lambda: _every_worker_answers(server, old, 200))
    with server.one_to_each_worker(old) as senders:
        overlap = timedelta(seconds=3)
        act = partial(tokens.rotate, tenant_id=tenant_id, token_id=old.split("_")[1], overlap=overlap, lifetime=None)
        rotated = customers.act(server.dsn, act)
        assert rotated is not None
        heard = {sender.post(sample.body()).status for sender in senders}
        wait_until(lambda: _every_worker_answers(server, rotated.token, 200))
        for sender in senders:
            sender.headers["Authorization"] = f"Bearer {rotated.token}"
        while datetime.now(UTC) < rotated.old_expires_at + timedelta(seconds=0.5):
            heard |= {sender.post(sample.body()).status for sender in senders}
        assert heard == {200}
    with server.one_to_each_worker(old) as late:
        assert {sender.post(sample.body()).problem for sender in late} == {"expired-token"}


def test_a_right_id_with_a_wrong_secret_is_not_known(server: Server, tenants: dict[str, Customer]) -> None:
    prefix, token_id, _ = tenants["main"].token.split("_", 2)
    sender = server.sender(f"{prefix}_{token_id}_{'A' * 43}")
    answer = sender.post(sample.body())
    assert (answer.status, answer.problem) == (401, "bad-token")


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({"Authorization": None}, 'Bearer realm="nocontent"'),
        ({"Authorization": "Bearer x"}, 'Bearer realm="nocontent", error="invalid_token"'),
    ],
)
def test_a_401_says_how_to_authenticate(sender: Sender, headers: dict[str, str | None], challenge: str) -> None:
    answer = sender.post(sample.body(), headers)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, challenge)


def test_the_scheme_may_be_in_any_case(sender: Sender, tenants: dict[str, Customer]) -> None:
    assert sender.post(sample.body(), {"Authorization": f"bEARER {tenants['main'].token}"}).status == 200


def test_the_database_holds_no_token(server: Server, tenants: dict[str, Customer]) -> None:
    secret = tenants["main"].token.split("_", 2)[2]  # It may have more of them.
    rows = customers.act(server.dsn, lambda connection: tokens.list_all(connection, None))
    assert rows
    assert secret not in repr([tuple(row.values()) for row in rows])


async def _set_disabled(connection: Connection, *, tenant_id: int, is_disabled: bool) -> None:
    await operator_tenants.set_disabled(connection, tenant_id, disabled=is_disabled)


def _every_worker_answers(server: Server, token: str, status: int) -> bool:
    with server.one_to_each_worker(token) as senders:
        return _all_answer(senders, status)


def _all_answer(senders: list[Sender], status: int) -> bool:
    return {sender.post(sample.body()).status for sender in senders} == {status}
