"""Tokens of links that unsubscribe: read if one of the keys in force made them, in one spelling, and never else."""

from base64 import urlsafe_b64encode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.alerts.letters import unsubscribe
from ingest.alerts.letters.unsubscribe import Subscription
from ingest.knowledge.keys import Keys
from ingest.store.mail.kinds import DECLINABLE

KEYS = Keys.make()
WANTED = Subscription(7, UUID("01939f4e-0000-4000-8000-000000000001"), "alert")
subscriptions = st.builds(Subscription, st.integers(1, 2**31 - 1), st.uuids(), st.sampled_from(DECLINABLE))


@given(subscriptions)
def test_a_token_says_what_it_was_made_for_to_its_key_alone(wanted: Subscription) -> None:
    made = unsubscribe.token(KEYS, wanted)
    assert unsubscribe.read(KEYS, made) == wanted
    assert unsubscribe.read(Keys.make(), made) is None
    assert unsubscribe.read(KEYS.rotated(), made) == wanted
    assert unsubscribe.read(KEYS.rotated().rotated(), made) is None


def test_no_token_with_one_character_changed_or_missing_is_read() -> None:
    made = unsubscribe.token(KEYS, WANTED)
    for at in range(len(made)):
        for other in "A-9_z":
            if made[at] != other:
                assert unsubscribe.read(KEYS, made[:at] + other + made[at + 1 :]) is None
        assert unsubscribe.read(KEYS, made[:at]) is None
        assert unsubscribe.read(KEYS, made[:at] + made[at + 1 :]) is None


@pytest.mark.parametrize("given", ["", "A", "A" * 55, "é" * 55, "=" * 55, "A" * 10_000, "\x00", "%2e%2e"])
def test_what_is_no_token_is_not_read(given: str) -> None:
    assert unsubscribe.read(KEYS, given) is None


def test_a_token_has_no_second_spelling() -> None:
    made = unsubscribe.token(KEYS, WANTED)
    for other in (f"{made}=", f" {made}", f"{made}\n", made.replace("_", "/").replace("-", "+") + "==", f"{made}A"):
        assert unsubscribe.read(KEYS, other) is None


def test_a_signed_token_for_letters_that_nobody_can_decline_is_not_read() -> None:
    """Nor would one be made: the type has no such group."""
    body = WANTED.tenant_id.to_bytes(4, "big") + WANTED.person_id.bytes + bytes([len(DECLINABLE)])
    signed = bytes.fromhex(KEYS.first.key_id) + body + KEYS.first.sign("unsubscribe", body)[:16]
    assert unsubscribe.read(KEYS, urlsafe_b64encode(signed).rstrip(b"=").decode()) is None
