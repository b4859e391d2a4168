"""`GET /v1/policy`: everything that a sender may rely on."""

from collections.abc import Callable
from typing import cast

from ingest.knowledge import capacity, contract
from schema import limits
from schema.event import Event
from schema.rules import RULES
from tests.support import sample
from tests.support.service import wait_until
from tests.support.wire import Sender

SenderOf = Callable[[str], Sender]


def test_the_policy_names_the_contract(sender: Sender) -> None:
    document = sender.get("/v1/policy").json
    assert document["fields"] == list(Event.__struct_fields__)
    assert document["rules"] == {rule.id: rule.says for rule in RULES.values()}
    assert cast("dict[str, int]", document["bounds"])["events_max"] == limits.EVENTS_MAX
    assert document["digest"] == contract.digest()


def test_the_policy_lists_what_the_tenant_may_send(sender: Sender) -> None:
    document = sender.get("/v1/policy").json
    terms = cast("dict[str, list[str]]", document["terms"])
    assert "claude-opus-4-5" in terms["model"]
    assert {"unknown", "anthropic"} <= set(terms["provider"])
    assert {"unknown", "eu", "us"} == set(cast("dict[str, list[str]]", document["tags"])["region"])


def test_the_policy_tells_the_modes(sender_of: SenderOf) -> None:
    modes = {name: sender_of(name).get("/v1/policy").json["modes"] for name in ("main", "coarsener")}
    kinds = ("task_category", "provider", "model", "tag_value")
    assert modes == {"main": dict.fromkeys(kinds, "refuse"), "coarsener": dict.fromkeys(kinds, "coarsen")}


def test_the_policy_publishes_what_an_event_can_hold(sender: Sender) -> None:
    document = sender.get("/v1/policy").json
    assert document["event_bits_max"] == round(capacity.total(capacity.of_event(30)), 1)


def test_one_tenants_terms_are_not_told_to_another(sender_of: SenderOf) -> None:
    learner = sender_of("learner")
    assert learner.post(sample.body(sample.event(routed_model="claude-opus-7-20280101"))).status == 200
    wait_until(lambda: "claude-opus-7-20280101" in learner.get("/v1/policy").body.decode())
    assert "claude-opus-7-20280101" not in sender_of("other").get("/v1/policy").body.decode()
