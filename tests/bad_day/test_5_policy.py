"""`GET /v1/policy` costs neighbours little: made once per change, sent in turns, 304 if unchanged."""

import asyncio
import gzip
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from ingest.errors import Overloaded
from ingest.intake.policies import Policies
from ingest.knowledge.snapshot import Snapshot, Tenant
from ingest.serving import documents
from schema.event import Kind
from schema.vocabulary import Mode
from tests.support import sample
from tests.support.gauge import vocabulary
from tests.support.rounds import counted
from tests.support.service import Server, wait_until
from tests.support.wire import Answer, Sender

SenderOf = Callable[[str], Sender]
PATHS = ("/v1/policy", "/openapi.json")
ASKING = 50


class Asking(Protocol):
    """A client that requests a path with some headers."""

    def __call__(self, path: str, **headers: str) -> Answer: ...


@pytest.fixture
def asking(sender: Sender) -> Asking:
    def ask(path: str, **headers: str) -> Answer:
        return sender.get(path, {name.replace("_", "-"): value for name, value in headers.items()})

    return ask


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accepts", ["gzip", "br, GZIP;q=0.5", "x-gzip", "*", "identity;q=0, gzip; q=1.0"])
def test_gzip_is_the_same_and_smaller(asking: Asking, path: str, accepts: str) -> None:
    plain, small = asking(path), asking(path, accept_encoding=accepts)
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert gzip.decompress(small.body) == plain.body
    assert len(small.body) < len(plain.body) / 3
    assert "Accept-Encoding" in small.headers["vary"]
    assert small.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accepts", ["", "identity", "br", "gzip;q=0", "gzip;q=0.000, *", "notgzip", "deflate, zstd"])
def test_nobody_gets_gzip_who_did_not_ask(asking: Asking, path: str, accepts: str) -> None:
    assert "content-encoding" not in asking(path, accept_encoding=accepts).headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("spelt", ["{}", "W/{}", '"other", {}', "{},W/{}", "*"])
@pytest.mark.parametrize("accepts", ["identity", "gzip"])
def test_what_is_known_is_not_sent_again(asking: Asking, path: str, spelt: str, accepts: str) -> None:
    tag = asking(path, accept_encoding=accepts).headers["etag"]
    answer = asking(path, accept_encoding=accepts, if_none_match=spelt.replace("{}", tag))
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    assert asking(path, if_none_match='"other"').status == 200


def test_only_a_change_of_its_own_changes_a_tenants_policy(sender_of: SenderOf) -> None:
    learner, other = sender_of("learner"), sender_of("other")
    tag, others = (each.get("/v1/policy").headers["etag"] for each in (learner, other))
    assert learner.post(sample.body(sample.event(tags={"team": "checkout"}))).status == 200
    wait_until(lambda: learner.get("/v1/policy", {"If-None-Match": tag}).status == 200)
    assert b"checkout" in learner.get("/v1/policy").body
    assert other.get("/v1/policy", {"If-None-Match": others}).status == 304


def test_a_known_tag_opens_no_door(server: Server, sender_of: SenderOf) -> None:
    tag = sender_of("main").get("/v1/policy").headers["etag"]
    stranger = server.sender()
    assert stranger.get("/v1/policy", {"If-None-Match": tag}).status == 401
    stranger.close()
    assert sender_of("events-only").get("/v1/policy", {"If-None-Match": "*"}).status == 403


# --- In one process ------------------------------------------------------------------------------------------------


@pytest.fixture
def known() -> Snapshot:
    made = Snapshot()
    for tenant_id in range(1, 6):
        made.tenants[tenant_id] = Tenant(tenant_id, vocabulary(Mode.REFUSE))
    return made


async def test_many_who_ask_at_once_get_one_document(known: Snapshot) -> None:
    policies = Policies()
    documents = await asyncio.gather(*(policies.document(known, 1) for _ in range(ASKING)))
    assert len({id(document) for document in documents}) == 1
    assert policies.bytes == len(documents[0].compressed)


async def test_a_change_is_in_the_next_document(known: Snapshot) -> None:
    policies = Policies()
    first = await policies.document(known, 1)
    known.tenants[1].vocabulary.add(Kind.MODEL, 0, "acme-1", 77)
    known.tenants[1].revision += 1
    assert policies.tag(known, 1) is None
    second = await policies.document(known, 1)
    assert (first.tag == second.tag, b"acme-1" in gzip.decompress(second.compressed)) == (False, True)


async def test_a_restored_database_is_another_era(known: Snapshot) -> None:
    policies = Policies()
    await policies.document(known, 1)
    known.forget()
    known.tenants[1] = Tenant(1, vocabulary(Mode.COARSEN))
    assert policies.tag(known, 1) is None


async def test_what_is_kept_is_bounded_and_a_tag_outlives_its_document(
    known: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = Policies()
    size = len((await policies.document(known, 1)).compressed)
    monkeypatch.setattr("ingest.intake.policies.KEPT_BYTES_MAX", 3 * size + 100)
    for tenant_id in known.tenants:
        await policies.document(known, tenant_id)
        assert policies.bytes <= 3 * size + 100
    assert all(policies.tag(known, tenant_id) for tenant_id in known.tenants)
    assert await policies.document(known, 1)


async def test_another_tenant_waits_for_one_answer_and_not_for_fifty(known: Snapshot) -> None:
    policies = Policies()
    order: list[int] = []

    async def ask(tenant_id: int) -> None:
        await policies.document(known, tenant_id)
        order.append(tenant_id)

    await policies.document(known, 1)
    await policies.document(known, 2)
    await asyncio.gather(*(ask(1) for _ in range(ASKING)), ask(2))
    assert order.index(2) <= 2


async def test_a_tenant_has_only_so_many_waiting(known: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.intake.policies.WAITING_MAX", 3)
    policies = Policies()
    answers = await asyncio.gather(*(policies.document(known, 1) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(answer, Overloaded) for answer in answers) == 2
    assert await policies.document(known, 1)


async def test_answers_have_rests_between_them(known: Snapshot) -> None:
    policies = Policies()
    await policies.document(known, 1)
    async with counted() as rounds:
        await asyncio.gather(*(policies.document(known, 1) for _ in range(5)))
    assert rounds.count > 50


def test_making_one_is_done_in_pieces() -> None:
    steps: Iterator[None] = documents.compress(b"x" * 300_000)
    assert len(list(steps)) >= 9
