"""The bearers of gateways: good for one key, one purpose and one tenant."""

import pytest

from ingest.knowledge import gateway_keys
from ingest.knowledge.gateway_keys import GatewayBearer, Purpose
from ingest.knowledge.keys import Key, Keys

KEYS = Keys((Key("00000001", bytes(32)), Key("00000002", bytes([1] * 32))))


def test_a_bearer_is_the_same_for_ever() -> None:
    assert gateway_keys.bearer(KEYS, "snapshot") == "ncg_0_7waVcROvJpbH1djYthDvdXdpCca3DCJRhCenK3IFwWE"
    assert gateway_keys.bearer(KEYS, "events", 7) == "ncg_7_pi1M1t6-0hvtEqRiScJ_dLo5Y4Fn4IZ4OztfWB2Nqgw"


@pytest.mark.parametrize(("purpose", "tenant_id"), [("snapshot", 0), ("events", 7)])
def test_a_bearer_is_good_for_its_purpose_tenant_and_keys_alone(purpose: Purpose, tenant_id: int) -> None:
    parsed = GatewayBearer.parse(gateway_keys.bearer(KEYS, purpose, tenant_id))
    assert parsed is not None
    assert parsed.tenant_id == tenant_id
    assert parsed.is_of(KEYS, purpose)
    assert parsed.is_of(Keys((Key.make(), KEYS.first)), purpose)
    assert not parsed.is_of(Keys(KEYS.own[1:]), purpose)
    assert not parsed.is_of(KEYS, "events" if purpose == "snapshot" else "snapshot")
    assert not parsed._replace(tenant_id=tenant_id + 1).is_of(KEYS, purpose)


def test_a_bearer_is_not_printed() -> None:
    bearer = gateway_keys.bearer(KEYS, "snapshot")
    assert bearer[6:] not in repr(GatewayBearer.parse(bearer))


@pytest.mark.parametrize(
    "given",
    ["", "ncg_", "ncg_0_", "ncg_0_{}A", "nct_0_{}", "ncg_00_{}", "ncg_-1_{}", "ncg_12345678901_{}", "ncg_\u0661_{}"],
)
def test_what_does_not_have_the_form_is_none(given: str) -> None:
    assert GatewayBearer.parse(given.format("A" * 43)) is None
    assert GatewayBearer.parse("ncg_0_{}".format("A" * 42 + "\u00e9")) is None
