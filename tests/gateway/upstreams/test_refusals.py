"""A model that the client did not ask for, and that refuses a request, is followed by the one that it did."""

import pytest

from ingest.gateway.upstream import retry
from ingest.gateway.upstream.courier import Delivered
from tests.gateway.upstreams.test_courier import GOOD, OVERLOADED, SPENT, failing
from tests.support.deliveries import Deliveries, delivering
from tests.support.raw_upstream import whole


async def deliver(deliveries: Deliveries, *models: str) -> tuple[Delivered, bytes]:
    """Deliver to models in turn; the last is the one that the client asked for."""
    legs = [deliveries.leg(model)._replace(is_switched=model != models[-1]) for model in models]
    delivered = await deliveries.courier.deliver(1, legs)
    found = b""
    while part := await delivered.answer.read():
        found += part
    return delivered, found


@pytest.mark.parametrize("status", sorted(retry.REFUSALS))
async def test_the_requested_model_answers_what_another_refused(status: int) -> None:
    async with delivering(failing(status, "invalid_request_error"), GOOD) as deliveries:
        delivered, body = await deliver(deliveries, "small", "medium", "asked")
        assert (body, delivered.leg_index, delivered.fallback, delivered.was_refused) == (b"good", 2, True, True)
        assert deliveries.paths() == ["small", "asked"]  # The one in between may refuse it as well.
        assert deliveries.noted == ["refused"]


async def test_a_refusal_by_the_requested_model_is_the_clients() -> None:
    async with delivering(failing(400, "invalid_request_error")) as deliveries:
        delivered, body = await deliver(deliveries, "small", "asked")
        assert (delivered.answer.status, delivered.leg_index) == (400, 1)
        assert b"canary" in body
        assert deliveries.paths() == ["small", "asked"]


@pytest.mark.parametrize("status", [401, 403])
async def test_another_error_is_the_clients(status: int) -> None:
    async with delivering(failing(status)) as deliveries:
        delivered, _ = await deliver(deliveries, "small", "asked")
        assert (delivered.answer.status, deliveries.paths()) == (status, ["small"])


@pytest.mark.parametrize(
    "spent",
    [
        SPENT[0].replace(b" 429 ", b" 400 "),
        whole(400, b'{"error":{"type":"invalid_request_error","message":"Your credit balance is too low."}}'),
        whole(400, b'{"error":{"type":"invalid_request_error","message":"You have reached your API usage limits."}}'),
    ],
)
async def test_a_spend_limit_is_no_refusal(spent: bytes) -> None:
    async with delivering(spent) as deliveries:
        delivered, _ = await deliver(deliveries, "small", "asked")
        assert (delivered.answer.status, deliveries.paths()) == (400, ["small"])


async def test_a_refusal_blames_nobody() -> None:
    async with delivering(failing(400)) as deliveries:
        for _ in range(20):
            await deliver(deliveries, "small", "asked")
        assert deliveries.paths() == ["small", "asked"] * 20


async def test_an_overload_is_followed_by_the_next_and_its_refusal_by_the_requested() -> None:
    async with delivering(OVERLOADED, failing(400), GOOD) as deliveries:
        delivered, _ = await deliver(deliveries, "small", "medium", "asked")
        assert (delivered.leg_index, delivered.was_refused) == (2, True)
