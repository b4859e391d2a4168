"""Terms that are not registered: learned within a budget, or coarsened to `unknown`."""

from collections.abc import Callable
from uuid import UUID

import pytest

from schema.limits import LEARN_PER_DAY_MAX, STRING_CHARS_MAX
from tests.support import cluster, columns, sample
from tests.support.cluster import Watch
from tests.support.customers import Customer
from tests.support.service import Server, wait_until
from tests.support.wire import Sender

SenderOf = Callable[[str], Sender]
_OWN_TERMS = "SELECT term FROM vocabulary WHERE tenant_id = $1 AND learned"


def learned(server: Server, tenant: Customer) -> set[str]:
    return {row["term"] for row in cluster.fetch(server.dsn, _OWN_TERMS, tenant.tenant_id)}


def test_a_new_term_is_learned_and_stored(sender_of: SenderOf, server: Server, tenants: dict[str, Customer]) -> None:
    sent = sample.event(
        routed_model="claude-opus-6-20270301", task_category="refund-triage", tags={"team": "payments-eu"}
    )
    assert sender_of("learner").post(sample.body(sent)).status == 200
    assert {"claude-opus-6-20270301", "refund-triage", "payments-eu"} <= learned(server, tenants["learner"])
    query = "SELECT routed_model, task_category, tags FROM readable_events WHERE event_id = $1"
    (row,) = cluster.fetch(server.dsn, query, UUID(str(sent["event_id"])))
    assert tuple(row.values()) == ("claude-opus-6-20270301", "refund-triage", '{"team": "payments-eu"}')


def test_columns_teach_what_rows_do(sender_of: SenderOf, server: Server, tenants: dict[str, Customer]) -> None:
    sent = sample.event(requested_model="claude-opus-6-20270302", tags={"team": "payments-us"})
    assert sender_of("learner").post(columns.body(sent, sample.event())).status == 200
    assert {"claude-opus-6-20270302", "payments-us"} <= learned(server, tenants["learner"])


def test_every_worker_accepts_terms_that_one_has_learned(
    sender_of: SenderOf, server: Server, tenants: dict[str, Customer]
) -> None:
    body = sample.body(sample.event(routed_model="claude-opus-6-3"))
    assert sender_of("learner").post(body).status == 200
    with server.one_to_each_worker(tenants["learner"].token) as senders:
        for sender in senders:
            assert sender.post(sample.body(sample.event(routed_model="claude-opus-6-3"))).status == 200
    assert "claude-opus-6-3" in learned(server, tenants["learner"])


def test_a_token_without_the_scope_teaches_nothing(sender_of: SenderOf, watch: Watch) -> None:
    before = watch.counts()
    answer = sender_of("reader").post(sample.body(sample.event(routed_model="claude-opus-6-1")))
    assert answer.rules == ["vocabulary.unknown-model"]
    assert watch.counts() == before


def test_a_batch_with_anything_else_wrong_teaches_nothing(sender_of: SenderOf, watch: Watch) -> None:
    before = watch.counts()
    answer = sender_of("learner").post(sample.body(sample.event(routed_model="claude-opus-6-2", prompt="hello")))
    assert set(answer.rules) == {"content.prompt", "vocabulary.unknown-model"}
    assert watch.counts() == before


@pytest.mark.parametrize("key", ["customer", "prompt"])
def test_a_tag_key_is_never_learned(sender_of: SenderOf, watch: Watch, key: str) -> None:
    before = watch.counts()
    assert sender_of("learner").post(sample.body(sample.event(tags={key: "search"}))).status == 422
    assert watch.counts() == before


def test_a_day_brings_only_so_many_terms(sender_of: SenderOf, server: Server, tenants: dict[str, Customer]) -> None:
    sender = sender_of("spender")
    events = [sample.event(task_category=f"batch-{place}") for place in range(LEARN_PER_DAY_MAX)]
    assert sender.post(sample.body(*events)).status == 200
    answer = sender.post(sample.body(sample.event(task_category="batch-51")))
    assert (answer.status, answer.rules) == (422, ["vocabulary.budget"])
    assert "batch-51" not in learned(server, tenants["spender"])
    assert sender.post(sample.body(events[0])).status == 200


def test_a_batch_over_the_budget_is_learned_not_even_in_part(sender_of: SenderOf, watch: Watch) -> None:
    before = watch.counts()
    events = [sample.event(provider=f"gateway-{place}") for place in range(LEARN_PER_DAY_MAX + 1)]
    assert sender_of("spender").post(sample.body(*events)).rules == ["vocabulary.budget"]
    assert watch.counts() == before


def test_coarsening_stores_unknown_and_counts_it(sender_of: SenderOf, server: Server, watch: Watch) -> None:
    before = watch.counts()
    sent = sample.event(routed_model="marjolein's model", provider="marjolein", tags={"team": "Marjolein was fired"})
    answer = sender_of("coarsener").post(sample.body(sent))
    assert (answer.status, answer.json) == (200, {"accepted": 1, "duplicates": 0, "coarsened": 3})
    assert watch.counts()[2] == before[2]
    query = "SELECT routed_model, provider, tags FROM readable_events WHERE event_id = $1"
    (row,) = cluster.fetch(server.dsn, query, UUID(str(sent["event_id"])))
    assert tuple(row.values()) == ("unknown", "unknown", '{"team": "unknown"}')


def test_coarsening_is_bounded(sender_of: SenderOf) -> None:
    answer = sender_of("coarsener").post(sample.body(sample.event(routed_model="a" * (STRING_CHARS_MAX + 1))))
    assert answer.violations == [("vocabulary.unknown-model", "/events/0/routed_model")]


@pytest.mark.parametrize(("changed", "status"), [({"colour": "x"}, 422), ({"tags": {"customer": "x"}}, 422)])
def test_coarsening_lets_no_name_pass(sender_of: SenderOf, changed: dict[str, object], status: int) -> None:
    assert sender_of("coarsener").post(sample.body(sample.event(**changed))).status == status


def test_a_term_that_an_operator_removed_is_refused(
    server: Server, sender: Sender, tenants: dict[str, Customer]
) -> None:
    assert tenants["main"].tenant_id
    cluster.run(
        server.dsn,
        "WITH bump AS (UPDATE control SET revision = revision + 1 RETURNING revision)"
        " UPDATE vocabulary SET retired_at = now(), revision = bump.revision FROM bump"
        f" WHERE tenant_id = {tenants['main'].tenant_id} AND term = 'editor'",
    )
    body = sample.event(tags={"team": "editor"})
    wait_until(lambda: sender.post(sample.body(body)).status == 422)


def test_a_refused_term_leaves_its_rule_in_the_audit_and_not_itself(
    sender_of: SenderOf, server: Server, tenants: dict[str, Customer]
) -> None:
    term = "sk-ant-api03-" + "aB3dE6gH" * 4
    query = "SELECT * FROM audit WHERE tenant_id = $1 AND act = 'vocabulary.refuse'"

    def is_noted() -> bool:  # At most once a second: an earlier test may have used this one up.
        assert sender_of("learner").post(sample.body(sample.event(routed_model=term))).status == 422
        notes = cluster.fetch(server.dsn, query, tenants["learner"].tenant_id)
        assert term not in str(notes)
        return "secret.anthropic-key" in {note["rule"] for note in notes}

    wait_until(is_noted)
