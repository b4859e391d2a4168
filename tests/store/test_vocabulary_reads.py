"""A tenant's vocabulary in counts and pages, and the report on terms registered together."""

from datetime import timedelta

from ingest.store import registration, tenants, vocabulary, vocabulary_reads
from ingest.store.connections import Connection
from ingest.store.vocabulary import Outcome
from schema import limits
from schema.event import OWN_IDS, Kind
from schema.learning import Candidate

MODEL = (Kind.MODEL, 0)
_KEY = "sk-ant-api03-0123456789abcdefghijkl"


async def test_registered_terms_are_reported_by_their_places(owner: Connection) -> None:
    tenant = await tenants.add(owner, "acme")
    given = [(2, "our-router-small"), (3, _KEY), (5, "claude-opus-4-5"), (7, "our-router-small")]
    done = await registration.register(owner, tenant, MODEL, given)
    assert done.counts == {Outcome.REGISTERED: 1, Outcome.SHIPPED: 1, Outcome.KNOWN: 1}
    assert (done.is_whole, done.summary()) == (False, "1 registered, 1 registered before, 1 shipped anyway, 1 refused")
    (verdict,) = done.verdicts("line")
    assert verdict.startswith("line 3: secret.anthropic-key: Remove the credential")
    assert "0123" not in verdict


async def test_terms_without_an_id_are_named_by_place(owner: Connection) -> None:
    tenant = await tenants.add(owner, "acme")
    await owner.execute(
        "INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)"
        " VALUES ($1, $2, $3, 0, 'the-last', false, 1)",
        tenant, Kind.TASK_CATEGORY, OWN_IDS[Kind.TASK_CATEGORY].stop - 1,
    )  # fmt: skip
    given = [(1, "the-last"), (2, "triage-tickets"), (3, "triage-mails")]
    done = await registration.register(owner, tenant, (Kind.TASK_CATEGORY, 0), given)
    assert (done.counts, done.without_id) == ({Outcome.KNOWN: 1}, [2, 3])
    shortage = done.shortage("line")
    assert shortage is not None
    assert shortage.startswith("no id left for line 2-3: the tenant's 128 ids")


async def test_a_kind_is_named_by_a_word_or_a_declared_key(owner: Connection) -> None:
    tenant, other = await tenants.add(owner, "acme"), await tenants.add(owner, "globex")
    await vocabulary.declare_tag(owner, tenant, "region")
    key = await vocabulary.tag_key_id(owner, tenant, "region")
    assert await registration.kind_named(owner, tenant, "model") == MODEL
    assert await registration.kind_named(owner, tenant, "tag:region") == (Kind.TAG_VALUE, key)
    assert await registration.kind_named(owner, other, "tag:region") is None
    assert await registration.kind_named(owner, tenant, "region") is None


async def test_counts_are_of_one_tenant_and_the_catalogue(owner: Connection) -> None:
    tenant, other = await tenants.add(owner, "acme"), await tenants.add(owner, "globex")
    before = (await vocabulary_reads.counts(owner, tenant))[Kind.MODEL]
    assert (before.own, before.learned, before.retired, before.ids_left) == (0, 0, 0, len(OWN_IDS[Kind.MODEL]))
    assert before.shipped > 100
    assert before.budget == vocabulary.WHOLE[Kind.MODEL]
    for term in ("our-router-small", "our-router-large"):
        await vocabulary.add(owner, tenant, Candidate(*MODEL, term))
    await vocabulary.remove(owner, tenant, Candidate(*MODEL, "our-router-large"))
    await vocabulary.learn(owner, tenant, [Candidate(*MODEL, "claude-opus-4-9")])
    await vocabulary.add(owner, other, Candidate(*MODEL, "globex-router"))
    after = (await vocabulary_reads.counts(owner, tenant))[Kind.MODEL]
    assert (after.own, after.learned, after.retired, after.shipped) == (2, 1, 1, before.shipped)
    assert after.ids_left == before.ids_left - 3
    assert after.budget == (limits.LEARN_PER_DAY_MAX - 1, limits.LEARN_TOTAL_MAX - 1)
    assert (await vocabulary_reads.counts(owner, tenant))[Kind.TAG_KEY].budget is None


async def test_what_was_learned_before_today_counts_for_ever_alone(owner: Connection) -> None:
    tenant = await tenants.add(owner, "acme")
    await vocabulary.learn(owner, tenant, [Candidate(*MODEL, "claude-opus-4-9")])
    await owner.execute("UPDATE vocabulary SET created_at = now() - $1::interval WHERE learned", timedelta(days=2))
    counts = (await vocabulary_reads.counts(owner, tenant))[Kind.MODEL]
    assert counts.budget == (limits.LEARN_PER_DAY_MAX, limits.LEARN_TOTAL_MAX - 1)


async def test_pages_list_every_term_once(owner: Connection) -> None:
    tenant = await tenants.add(owner, "acme")
    terms = [f"router-{number}" for number in range(vocabulary_reads.PAGE_TERMS_MAX + 5)]
    await owner.executemany(
        "INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)"
        " VALUES ($1, 3, $2, 0, $3, false, 1)",
        [(tenant, OWN_IDS[Kind.MODEL].start + number, term) for number, term in enumerate(terms)],
    )
    first = await vocabulary_reads.page(owner, tenant, MODEL, "own", "")
    assert first.next_after is not None
    second = await vocabulary_reads.page(owner, tenant, MODEL, "own", first.next_after)
    assert second.next_after is None
    listed = [row["term"] for page in (first, second) for row in page.rows]
    assert (sorted(listed), len(listed)) == (sorted(terms), len(terms))
    assert (await vocabulary_reads.page(owner, tenant, MODEL, "retired", "")).rows == []
    shipped = await vocabulary_reads.page(owner, tenant, MODEL, "shipped", "claude-opus-4-4")
    assert "claude-opus-4-5" in [row["term"] for row in shipped.rows]
