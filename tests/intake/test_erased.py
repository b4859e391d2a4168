"""Replies to batches of what was erased, by a worker that has not read the erasure yet."""

from tests.support import customers, direct, sample
from tests.support.cluster import operator
from tests.support.customers import CustomerSpec
from tests.support.tombstones import record


async def test_the_replies_to_what_was_erased(database: str) -> None:
    async with operator(database) as owner:
        one = await customers.add(owner, "one", CustomerSpec())
        gone = await customers.add(owner, "gone", CustomerSpec())
        async with direct.working(database) as worker:
            first = sample.event()
            assert (await worker.post(sample.body(first), one.token)).json == {"accepted": 1, "duplicates": 0}
            await record(owner, "range", first, tenant_id=one.tenant_id)
            await record(owner, "tenant", tenant_id=gone.tenant_id)
            again = await worker.post(sample.body(first, sample.event()), one.token)
            assert again.json == {"accepted": 1, "duplicates": 1}
            refused = await worker.post(sample.body(), gone.token)
            assert (refused.status, refused.problem) == (401, "revoked-token")
            assert 'error="invalid_token"' in refused.headers["www-authenticate"]
        assert await owner.fetchval("SELECT count(*) FROM batches WHERE tenant_id = $1", gone.tenant_id) == 0
