"""Admission: which credentials let a request in, what of them goes upstream, and which id each mistake has."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.gateway.admission import board, errors
from ingest.gateway.admission.board import Board, BoardFile, BoardWriter
from ingest.gateway.admission.errors import NotAdmitted
from ingest.gateway.admission.provider_keys import ProviderKeys
from ingest.gateway.admission.tokens import Admission, Field, Provider
from ingest.knowledge.gateway import GatewaySnapshot, GatewayTenant, GatewayToken
from ingest.knowledge.tokens import Credential
from tests.gateway.service import grant

GRACE_S = 300
HOUR_MS = 3_600_000
OWN_KEY, KEPT_KEY = b"sk-ant-api03-own", b"sk-ant-api03-kept"


class Gate(NamedTuple):
    """An admission, and the board that it reads. Tenant 8 has keys with the operator."""

    admission: Admission
    writer: BoardWriter
    tokens: dict[int, str]
    snapshot: GatewaySnapshot

    def put(self, snapshot: GatewaySnapshot, service_ms: int = 0, ago_s: float = 0) -> None:
        self.writer.write(msgspec.json.encode(snapshot))
        self.writer.confirm(board.now_ms() - int(ago_s * 1_000), service_ms)

    def fault(self, *fields: Field, provider: Provider = "anthropic") -> str:
        with pytest.raises(NotAdmitted) as caught:
            self.admission.admit(fields, provider)
        assert not caught.value.args
        return caught.value.fault


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    for name in ("8-anthropic", "8-openai"):
        (tmp_path / name).write_bytes(KEPT_KEY + b"\n")
        (tmp_path / name).chmod(0o600)
    snapshot, tokens = grant(GatewayTenant(7), GatewayTenant(8))
    file = BoardFile.make()
    made = Gate(Admission(Board(file), ProviderKeys(str(tmp_path)), GRACE_S), BoardWriter(file), tokens, snapshot)
    made.put(snapshot)
    yield made
    os.close(file.file)


def token(given: str) -> Field:
    return b"x-nocontent-token", given.encode()


def api_key(given: bytes | str) -> Field:
    return b"x-api-key", given if isinstance(given, bytes) else given.encode()


def bearer(given: bytes | str) -> Field:
    return b"authorization", b"Bearer " + (given if isinstance(given, bytes) else given.encode())


OTHER = (b"content-type", b"application/json")


@pytest.mark.parametrize("key", [api_key(OWN_KEY), bearer(OWN_KEY), (b"authorization", b"bearer  " + OWN_KEY)])
def test_a_clients_own_key_goes_upstream_as_it_came(gate: Gate, key: Field) -> None:
    admitted = gate.admission.admit([OTHER, token(gate.tokens[7]), key], "anthropic")
    assert admitted.tenant == gate.snapshot.tenants[0]
    assert admitted.provider_fields == [key]
    assert repr(admitted) == "Admitted(7)"


@pytest.mark.parametrize(("provider", "field"), [("anthropic", api_key(KEPT_KEY)), ("openai", bearer(KEPT_KEY))])
def test_a_kept_key_goes_upstream_for_a_tenant_that_has_one(gate: Gate, provider: Provider, field: Field) -> None:
    for credential in (api_key(gate.tokens[8]), bearer(gate.tokens[8]), token(gate.tokens[8])):
        assert gate.admission.admit([credential], provider).provider_fields == [field]


def test_each_mistake_has_its_own_fault(gate: Gate) -> None:
    own, good = api_key(OWN_KEY), token(gate.tokens[7])
    unknown = str(Credential.make())
    wrong = gate.tokens[7][:-43] + "A" * 43
    found = {
        "token-missing": [gate.fault(), gate.fault(own), gate.fault(bearer(OWN_KEY), OTHER)],
        "tokens-repeated": [gate.fault(good, good, own), gate.fault(good, token(gate.tokens[8]))],
        "token-malformed": [gate.fault(token(each), own) for each in ("", "nct_", gate.tokens[7] + "x", "x" * 5_000)],
        "provider-key-as-token": [gate.fault(token("sk-ant-api03-own"), own), gate.fault(token("sk-proj-own"))],
        "token-unknown": [gate.fault(token(unknown), own), gate.fault(token(wrong), own)],
        "token-as-provider-key": [
            gate.fault(api_key(gate.tokens[7])), gate.fault(good, api_key(gate.tokens[7])),
            gate.fault(good, bearer(gate.tokens[8])), gate.fault(good, api_key("ncg_0_" + "A" * 43)),
        ],
        "provider-key-missing": [gate.fault(good)],
        "provider-keys-repeated": [
            gate.fault(good, own, own), gate.fault(good, own, bearer(OWN_KEY)), gate.fault(own, bearer(gate.tokens[8])),
        ],
        "provider-key-malformed": [
            gate.fault(good, api_key("")), gate.fault(good, bearer("")), gate.fault(good, api_key("a b")),
            gate.fault(good, (b"authorization", b"Basic a2V5")), gate.fault(good, (b"authorization", OWN_KEY)),
            *(gate.fault(good, api_key(each)) for each in (b"k\xff", b"k" * 5_000, b"k\r")),
        ],
    }  # fmt: skip
    assert found == {fault: [fault] * len(cases) for fault, cases in found.items()}


def test_every_fault_is_shown_and_none_twice() -> None:
    kinds = [kind for parent in (errors.Misplaced, errors.TokenRefused) for kind in parent.__subclasses__()]
    faults = [kind.fault for kind in (*kinds, errors.BoardStale)]
    assert len(set(faults)) == len(faults) == 11
    assert all(faults)


def with_expiry(gate: Gate, expires_at_ms: int) -> GatewaySnapshot:
    tokens = [msgspec.structs.replace(each, expires_at_ms=expires_at_ms) for each in gate.snapshot.tokens]
    return msgspec.structs.replace(gate.snapshot, tokens=tuple(tokens))


@pytest.mark.parametrize("wrong_ms", [-HOUR_MS * 24 * 365, 0, HOUR_MS * 24 * 365])
def test_a_token_expires_by_the_clock_of_the_service(gate: Gate, wrong_ms: int) -> None:
    service_ms = int(time.time() * 1_000) + wrong_ms
    fields = [token(gate.tokens[7]), api_key(OWN_KEY)]
    gate.put(with_expiry(gate, service_ms + HOUR_MS), service_ms)
    assert gate.admission.admit(fields, "anthropic").tenant.tenant_id == 7
    gate.put(with_expiry(gate, service_ms + HOUR_MS), service_ms + HOUR_MS)
    assert gate.fault(*fields) == "token-expired"
    gate.put(with_expiry(gate, service_ms + HOUR_MS), service_ms, ago_s=3_600)  # In the grace of a long one.
    patient = Admission(gate.admission._board, ProviderKeys(""), 7_200)  # noqa: SLF001 (the same board)
    with pytest.raises(errors.TokenExpired):
        patient.admit(fields, "anthropic")


def test_without_the_service_a_gateway_goes_on_for_the_grace_and_then_admits_nobody(gate: Gate) -> None:
    fields = [token(gate.tokens[7]), api_key(OWN_KEY)]
    gate.put(gate.snapshot, ago_s=GRACE_S - 5)
    assert gate.admission.admit(fields, "anthropic").tenant.tenant_id == 7
    gate.put(gate.snapshot, ago_s=GRACE_S + 1)
    assert gate.fault(*fields) == "grants-stale"
    gate.put(gate.snapshot)
    assert gate.admission.admit(fields, "anthropic").tenant.tenant_id == 7


def test_a_gateway_that_never_heard_of_the_service_admits_nobody(tmp_path: Path) -> None:
    file = BoardFile.make()
    admission = Admission(Board(file), ProviderKeys(str(tmp_path)), 86_400)
    with pytest.raises(errors.BoardStale):
        admission.admit([token(str(Credential.make())), api_key(OWN_KEY)], "anthropic")
    BoardWriter(file).write(
        msgspec.json.encode(GatewaySnapshot(1, 0))
    )  # A companion that was killed before it confirmed.
    with pytest.raises(errors.BoardStale):
        admission.admit([token(str(Credential.make())), api_key(OWN_KEY)], "anthropic")
    os.close(file.file)


def test_the_mistake_is_named_before_the_state_of_the_board(gate: Gate) -> None:
    gate.put(gate.snapshot, ago_s=GRACE_S + 1)
    assert gate.fault(api_key(OWN_KEY)) == "token-missing"


def test_a_token_whose_tenant_is_not_there_admits_nobody(gate: Gate) -> None:
    orphan = GatewayToken("0" * 12, 9, Credential("0" * 12, "A" * 43).secret_sha256)
    gate.put(msgspec.structs.replace(gate.snapshot, tokens=(orphan,)))
    assert gate.fault(token(f"nct_{'0' * 12}_{'A' * 43}"), api_key(OWN_KEY)) == "token-unknown"


NAMES = st.sampled_from([b"x-nocontent-token", b"x-api-key", b"authorization", b"x-api-key-2"])


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_whatever_is_sent_a_credential_of_ours_never_goes_upstream(gate: Gate, data: st.DataObject) -> None:
    own = [gate.tokens[7], gate.tokens[8], "ncg_7_" + "A" * 43, str(Credential.make())]
    values = st.sampled_from([*own, *(f"Bearer {each}" for each in own), "sk-ant-own", "Bearer sk-own", "", "Bearer "])
    sent = data.draw(st.lists(st.tuples(NAMES, values.map(str.encode)), max_size=4))
    try:
        admitted = gate.admission.admit(sent, data.draw(st.sampled_from(["anthropic", "openai"])))
    except NotAdmitted:
        return
    [(name, value)] = admitted.provider_fields
    assert name in {b"x-api-key", b"authorization"}
    assert b"nct_" not in value
    assert b"ncg_" not in value
    assert (name, value) in sent or (KEPT_KEY in value and admitted.tenant.tenant_id == 8)
