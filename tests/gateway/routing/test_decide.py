"""Every reason is reached, in the order of the rules, and no other model is named without the reason "routed"."""

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.gateway.reading import facts
from ingest.gateway.reading.facts import Facts
from ingest.gateway.records import Usage
from ingest.gateway.routing.names import targets
from ingest.knowledge.gateway import REASONS, GatewayTenant, Mode, Rate, Reason, Route
from tests.gateway.routing.requests import (
    CACHED,
    HAIKU,
    NOW_S,
    OPUS,
    SIGNED,
    SONNET,
    TENANT,
    TOOL_LOOP,
    USED,
    answer,
    request,
    router,
    user,
)
from tests.support.values import few

OFF = msgspec.structs.replace(TENANT, mode="off")
DRY = msgspec.structs.replace(TENANT, mode="dry-run")
NARROW = msgspec.structs.replace(TENANT, models=(SONNET,))
UNPRICED = msgspec.structs.replace(TENANT, routes=(Route("summarization", "our-own-model"),))
CASES: dict[str, tuple[GatewayTenant, Facts, Reason]] = {
    "the table's": (TENANT, request(), "routed"),
    "in a dry run": (DRY, request(), "dry-run"),
    "the same": (TENANT, request("math: 1 + 1"), "same-model"),
    "the same by its date": (TENANT, request("math: 1 + 1", model="claude-opus-4-5-20251101"), "same-model"),
    "off": (OFF, request(), "off"),
    "off before anything is read": (OFF, Facts("messages", OPUS), "off"),
    "another shape": (TENANT, Facts("messages", OPUS), "unreadable"),
    "no route": (TENANT, request("general: x"), "no-route"),
    "a category of nobody's": (TENANT, request("gardening:1000 x"), "low-confidence"),
    "doubt": (TENANT, request("summarization:599 x"), "low-confidence"),
    "no doubt": (TENANT, request("summarization:600 x"), "routed"),
    "a model of nobody's": (TENANT, request(model="gpt-of-nobody"), "unknown-model"),
    "a text for a model": (TENANT, request(model="What is the capital of France? " * 99), "unknown-model"),
    "a model without a price": (TENANT, request(model="claude-sonnet-3.5-june"), "unknown-model"),
    "a target that is not allowed": (NARROW, request(), "not-allowed"),
    "a tool that was answered": (TENANT, request("summarization: x", *TOOL_LOOP), "tool-loop"),
    "signatures": (TENANT, request("summarization: x", *SIGNED), "signed-thinking"),
    "thinking to come": (TENANT, request(thinking={"type": "adaptive"}), "signed-thinking"),
    "no thinking": (TENANT, request(thinking={"type": "disabled"}), "routed"),
    "a dearer one": (TENANT, request("translation: x"), "too-dear"),
    "one that costs as much": (TENANT, request(model=HAIKU), "same-model"),
    "one without a price": (UNPRICED, request(), "too-dear"),
}


@pytest.mark.parametrize(("tenant", "asked", "reason"), CASES.values(), ids=CASES)
def test_a_request_is_decided_by_the_first_rule_that_applies(
    tenant: GatewayTenant, asked: Facts, reason: Reason
) -> None:
    decision = router().decide(tenant, asked, "anthropic", NOW_S)
    assert decision.reason == reason
    assert decision.model == (HAIKU if reason == "routed" else asked.model)


def test_what_answers_said_gives_the_other_reasons_of_the_list() -> None:
    others = {"warm-cache", "refused-before", "count-only"}
    assert set(REASONS) - {reason for _, _, reason in CASES.values()} == others


def test_what_is_decided_without_acting_names_what_would_be_done() -> None:
    decision = router().decide(DRY, request(), "anthropic", NOW_S)
    assert (decision.would, decision.category, decision.confidence) == (HAIKU, "summarization", 900)
    assert (decision.term, decision.sent_term, decision.fallbacks) == (OPUS, OPUS, ())


def test_a_category_that_is_not_the_tenants_is_not_named() -> None:
    decision = router().decide(TENANT, request("gardening:1000 x"), "anthropic", NOW_S)
    assert (decision.category, decision.confidence, decision.would) == ("unknown", 0, None)


def test_a_name_that_stands_for_a_term_is_reported_by_it_and_sent_as_it_is() -> None:
    decision = router().decide(TENANT, request(model="anthropic.claude-opus-4-5-20251101-v1:0@x"), "anthropic", NOW_S)
    assert (decision.reason, decision.term) == ("unknown-model", "unknown")
    decision = router().decide(TENANT, request("general: x", model="Claude-Opus-4-5"), "anthropic", NOW_S)
    assert (decision.reason, decision.model, decision.sent_term) == ("no-route", "Claude-Opus-4-5", OPUS)


def test_fallbacks_are_allowed_models_and_at_last_the_requested_one() -> None:
    assert router().decide(TENANT, request(), "anthropic", NOW_S).fallbacks == (SONNET, OPUS)
    narrow = msgspec.structs.replace(TENANT, models=(HAIKU, OPUS))
    assert router().decide(narrow, request(), "anthropic", NOW_S).fallbacks == (OPUS,)
    kept = router().decide(TENANT, request("math: x"), "anthropic", NOW_S)
    assert kept.fallbacks == ()
    same = router().decide(TENANT, request(model=HAIKU), "anthropic", NOW_S)
    assert (same.reason, same.fallbacks) == ("same-model", (SONNET,))


def test_the_tenants_own_rates_decide() -> None:
    free_opus = msgspec.structs.replace(TENANT, rates=(Rate("anthropic", OPUS, 1, 1, 1, 1, 1),))
    assert router().decide(free_opus, request(), "anthropic", NOW_S).reason == "too-dear"
    equal = msgspec.structs.replace(
        TENANT, rates=tuple(Rate("anthropic", model, 5, 5, 5, 5, 5) for model in (OPUS, HAIKU))
    )
    assert router().decide(equal, request(), "anthropic", NOW_S).reason == "too-dear"
    priced = msgspec.structs.replace(UNPRICED, rates=(Rate("anthropic", "our-own-model", 1, -1, -1, -1, 1),))
    decision = router().decide(priced, request(), "anthropic", NOW_S)
    assert (decision.reason, decision.model) == ("routed", "our-own-model")


def test_a_model_of_another_provider_is_no_target() -> None:
    tenant = msgspec.structs.replace(TENANT, routes=(Route("summarization", "gpt-5-nano"),))
    assert router().decide(tenant, request(), "anthropic", NOW_S).reason == "too-dear"


def test_a_chat_is_routed_among_the_models_of_its_provider() -> None:
    tenant = msgspec.structs.replace(TENANT, routes=(Route("summarization", "gpt-5-nano"),))
    body = json.dumps({"model": "gpt-5", "messages": [user("summarization: x")]}).encode()
    decision = router().decide(tenant, facts.read(body, "chat"), "openai", NOW_S)
    assert (decision.reason, decision.model) == ("routed", "gpt-5-nano")


def test_a_conversation_that_was_switched_stays_with_its_model() -> None:
    routing = router()
    first = routing.decide(TENANT, request(), "anthropic", NOW_S)
    routing.note(first, HAIKU, USED, NOW_S)
    later: dict[str, Facts] = {
        "a tool was answered": request("summarization: x", *TOOL_LOOP),
        "signatures of its model": request("summarization: x", *SIGNED),
        "another category without a route": request("summarization: x", answer(), user("general: y")),
        "doubt": request("summarization: x", answer(), user("summarization:1 y")),
        "a category whose model is dearer": request("summarization: x", answer(), user("translation: y")),
        "the same category": request("summarization: x", answer(), user("summarization: y")),
    }
    for name, asked in later.items():
        decision = routing.decide(TENANT, asked, "anthropic", NOW_S + 299)
        assert (decision.reason, decision.model) == ("routed", HAIKU), name
    signed = routing.decide(TENANT, later["signatures of its model"], "anthropic", NOW_S)
    assert signed.fallbacks == ()  # No other model takes them.
    assert routing.decide(TENANT, later["doubt"], "anthropic", NOW_S + 301).reason == "low-confidence"
    assert routing.decide(TENANT, request("general: another"), "anthropic", NOW_S).reason == "no-route"


def test_thinking_is_of_the_requested_model_even_if_one_that_begins_alike_was_switched() -> None:
    routing = router()
    routing.note(routing.decide(TENANT, request(), "anthropic", NOW_S), HAIKU, USED, NOW_S)
    for asked in (
        request(thinking={"type": "enabled"}),
        request("summarization: x", *SIGNED, thinking={"type": "enabled"}),
    ):
        decision = routing.decide(TENANT, asked, "anthropic", NOW_S + 1)
        assert (decision.reason, decision.model, decision.fallbacks) == ("signed-thinking", OPUS, ())


def test_no_conversation_stays_with_a_model_that_is_no_longer_allowed_or_in_a_dry_run() -> None:
    routing = router()
    decision = routing.decide(TENANT, request(), "anthropic", NOW_S)
    routing.note(decision, HAIKU, USED, NOW_S)
    again = request("summarization: x", *TOOL_LOOP)
    for tenant in (NARROW, DRY):
        assert routing.decide(tenant, again, "anthropic", NOW_S).reason == "tool-loop"
    other = msgspec.structs.replace(TENANT, tenant_id=8)
    assert routing.decide(other, again, "anthropic", NOW_S).reason == "tool-loop"


def test_a_switched_conversation_goes_back_where_the_table_and_the_price_say_so() -> None:
    tenant = msgspec.structs.replace(TENANT, routes=(Route("summarization", SONNET), Route("general", HAIKU)))
    routing = router()
    opened = request("summarization: x", model=HAIKU, max_tokens=10)
    priced = msgspec.structs.replace(tenant, rates=(Rate("anthropic", SONNET, 1, 1, 1, 1, 1),))
    routing.note(routing.decide(priced, opened, "anthropic", NOW_S), SONNET, USED, NOW_S)
    later = request("summarization: x", answer(), user("general: y"), model=HAIKU, max_tokens=10)
    assert routing.decide(priced, later, "anthropic", NOW_S).model == SONNET  # Haiku is dearer at these rates,
    back = routing.decide(tenant, later, "anthropic", NOW_S)  # and cheaper at those of the book.
    assert (back.reason, back.model) == ("same-model", HAIKU)
    routing.note(back, HAIKU, USED, NOW_S)
    tool = request("summarization: x", *TOOL_LOOP, model=HAIKU)
    assert routing.decide(priced, tool, "anthropic", NOW_S).reason == "tool-loop"


def test_a_warm_cache_keeps_the_requested_model_until_it_is_cold() -> None:
    routing, asked = router(), request("general: x", **CACHED)
    routing.note(routing.decide(TENANT, asked, "anthropic", NOW_S), OPUS, Usage(50, 0, 25_000, 0, 20), NOW_S)
    later = request("general: x", answer(), user("summarization: y"), **CACHED)
    warm = routing.decide(TENANT, later, "anthropic", NOW_S + 299)
    assert (warm.reason, warm.model, warm.would) == ("warm-cache", OPUS, HAIKU)
    assert routing.decide(TENANT, later, "anthropic", NOW_S + 301).reason == "routed"


def test_a_shared_system_that_is_warm_keeps_new_conversations_too() -> None:
    routing, asked = router(), request("general: x", **CACHED)
    routing.note(routing.decide(TENANT, asked, "anthropic", NOW_S), OPUS, Usage(50, 0, 25_000, 0, 20), NOW_S)
    assert routing.decide(TENANT, request("summarization: new", **CACHED), "anthropic", NOW_S).reason == "warm-cache"
    other = {"system": [{"type": "text", "text": "Another. " * 9_000}]}
    assert routing.decide(TENANT, request("summarization: new", **other), "anthropic", NOW_S).reason == "routed"


@st.composite
def tenants(draw: st.DrawFn) -> GatewayTenant:
    models = st.sampled_from([OPUS, SONNET, HAIKU, "our-own-model", "gpt-5-nano"])
    categories = ("summarization", "math", "general")
    routes = [
        Route(category, draw(models), tuple(draw(st.lists(models, max_size=3, unique=True))))
        for category in draw(st.lists(st.sampled_from(categories), unique=True))
    ]
    return GatewayTenant(
        7, draw(st.sampled_from(get_args(Mode))), draw(st.sampled_from([0, 600, 1_000])), tuple(routes),
        tuple(draw(st.lists(models, max_size=3, unique=True))), categories,
    )  # fmt: skip


@st.composite
def conversations(draw: st.DrawFn) -> Facts:
    texts = st.sampled_from(["summarization: x", "math:700 x", "general:0 x", "gardening: x"])
    later = draw(st.sampled_from([(), TOOL_LOOP, SIGNED, (answer(), user(draw(texts)))]))
    kinds: list[dict[str, object]] = [{}, CACHED, {"thinking": {"type": "enabled"}}, {"max_tokens": 1}]
    model = draw(st.sampled_from([OPUS, HAIKU, "claude-opus-4-5-20251101", "nobody's", ""]))
    return request(draw(texts), *later, **{"model": model, **draw(st.sampled_from(kinds))})


@few
@given(steps=st.lists(st.tuples(tenants(), conversations(), st.integers(0, 400)), min_size=1, max_size=6))
def test_any_outcome_has_a_reason_and_only_routed_ones_another_model(
    steps: list[tuple[GatewayTenant, Facts, int]],
) -> None:
    routing, now_s = router(), NOW_S
    for tenant, asked, passed_s in steps:
        now_s += passed_s
        decision = routing.decide(tenant, asked, "anthropic", now_s)
        assert decision.reason in REASONS
        assert (decision.reason == "routed") == (decision.model != asked.model)
        if decision.reason == "routed":
            assert tenant.mode == "on"
            assert decision.model in targets(tenant)
        assert set(decision.fallbacks) <= {*targets(tenant), asked.model} - {decision.model}
        assert decision.category in {*tenant.categories, "unknown"}
        routing.note(decision, decision.sent_term, Usage(9, 0, 20_000 if asked.caches else 0, 0, 9), now_s)


def test_a_conversation_goes_no_more_to_a_model_that_refused_it() -> None:
    routing = router()
    first = routing.decide(TENANT, request(), "anthropic", NOW_S)
    routing.note(first, HAIKU, USED, NOW_S)
    routing.note_refusal(first, NOW_S)
    later = request("summarization: x", answer(), user("summarization: y"))
    decision = routing.decide(TENANT, later, "anthropic", NOW_S + 3_599)
    assert (decision.reason, decision.model) == ("refused-before", OPUS)
    assert routing.decide(TENANT, request("summarization: z"), "anthropic", NOW_S).reason == "routed"
    assert routing.decide(TENANT, later, "anthropic", NOW_S + 3_601).reason == "routed"
