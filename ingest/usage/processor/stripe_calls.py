"""Calls Stripe's API through its SDK: bounded in time, retried with back-off, errors reduced to ours.

Only a process that hands invoices over imports this module. The SDK blocks, so each call runs in a thread.
"""

import asyncio
import random
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import stripe

from ingest.store.billing.handovers import Refusal
from ingest.usage.processor.errors import Refused, Unauthorized, Unreachable
from ingest.usage.processor.secret_files import Secret

ATTEMPTS_MAX = 4
FIRST_DELAY_S = 0.5
DELAY_S_MAX = 8.0
CONNECT_S, READ_S = 5.0, 30.0
CALL_S_MAX = 60.0  # A server that sends a byte now and then would hold a read for ever.
_Made = TypeVar("_Made")
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_UNAUTHORIZED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
# A conflict is another request with this idempotency key that still runs.
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_DIGITS_MAX = 6


class Calls:
    """A client of one account."""

    def __init__(self, key: Secret, base: str) -> None:
        stripe.enable_telemetry = False  # It would write an id into the home directory.
        self.api = stripe.StripeClient(
            key.reveal(),
            base_addresses={"api": base},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=(CONNECT_S, READ_S)),
        ).v1

    async def call(self, call: Callable[[], _Made]) -> _Made:
        """Return what a call returns; raise Unreachable after some attempts, or Unauthorized or Refused at once."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            failure: Exception
            try:
                async with asyncio.timeout(CALL_S_MAX):
                    return await asyncio.to_thread(call)
            except (stripe.StripeError, TimeoutError) as error:
                failure = error
            if (permanent := _permanent(failure)) is not None:
                raise permanent  # Not from the SDK's error, which may quote parameters and part of the key.
            if attempt < ATTEMPTS_MAX:
                await asyncio.sleep(_delay_s(failure, FIRST_DELAY_S * 2 ** (attempt - 1)))
        raise Unreachable


def _permanent(failure: Exception) -> Exception | None:
    """Return our error for a failure that a repeat does not mend."""
    status = failure.http_status if isinstance(failure, stripe.StripeError) else None
    if status in _UNAUTHORIZED:
        return Unauthorized()
    if isinstance(failure, stripe.IdempotencyError):
        return Refused(Refusal.KEY_REUSED)
    if status is None or not _CLIENT_ERROR <= status < _SERVER_ERROR or status in _PASSING:
        return None
    return Refused(Refusal.GONE if status == HTTPStatus.NOT_FOUND else Refusal.REJECTED)


def _delay_s(failure: Exception, backoff_s: float) -> float:
    asked = (failure.headers or {}).get("retry-after", "") if isinstance(failure, stripe.StripeError) else ""
    wait_s = float(asked) if asked.isdecimal() and len(asked) <= _DIGITS_MAX else 0.0
    return min(DELAY_S_MAX, max(wait_s, backoff_s * random.uniform(0.5, 1.0)))  # noqa: S311 (no secret)
