"""Mode `learn`: content and keys that pass the gauntlet are not learned either, and honest names are."""

import json
import math
from collections.abc import Callable
from random import Random

import pytest

from ingest.intake.explain import explain
from schema import learning
from schema.event import Kind
from schema.gauntlet import fault
from schema.learning import is_learnable
from schema.lexicon import OPERATIONS as SHIPPED
from schema.vocabulary import Mode, shipped_terms
from tests.gauntlet.corpus import classes
from tests.support import cluster, sample, terms
from tests.support.customers import Customer
from tests.support.gauge import VOCABULARIES, window
from tests.support.service import Server
from tests.support.wire import Sender

KINDS = (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL, Kind.TAG_VALUE)
SIBLINGS = (
    "gpt-5.4-2027-01-01", "gpt-5-2027-01-01", "claude-opus-5-1", "claude-opus-6", "claude-opus-6-20270301",
    "claude-haiku-5@20270101", "gpt-7", "o5-mini", "gemini-4-pro", "gpt-4o-2027-05-13", "qwen4-235b-a22b",
    "meta-llama/Llama-4.1-70B-Instruct", "llama-3.5-70b-instruct", "gpt-5-latest",
)  # fmt: skip
OPERATIONS = (
    "prod", "payments-eu", "eu-west-1", "team-search", "build-4711", "en-US", "CC-2040", "python-sdk/2.34.0",
    "refund-triage", "internal-gateway-2", "Q3", "EMEA", "v2", "checkout.web", "billing:invoices", "staging_weu",
)  # fmt: skip
# Terms one step outside of what may be learned.
STRANGERS = (
    (Kind.MODEL, "acme-model-1"),
    (Kind.MODEL, "claude-opus-6-please"),
    (Kind.MODEL, "claude-opus-marjolein"),
    (Kind.MODEL, "claude-marjolein-5"),
    (Kind.MODEL, "claude-opus-40"),
    (Kind.MODEL, "claude-opus-6-99"),
    (Kind.MODEL, "claude-opus-06"),
    (Kind.MODEL, "claude-opus-6-4-1-1-1-1-1"),
    (Kind.MODEL, "gpt-4-19871224"),
    (Kind.MODEL, "gpt-5-20271399"),
    (Kind.MODEL, "gpt-5-2027-01-01-2027-01-02"),
    (Kind.MODEL, "llama-3.5-77b-instruct"),
    (Kind.MODEL, "llama-4.4-72b-instruct"),
    (Kind.MODEL, "prod-payments"),
    (Kind.TAG_VALUE, "marjolein"),
    (Kind.TAG_VALUE, "payments-marjolein"),
    (Kind.TAG_VALUE, "prod-payments-eu-search-web"),
    (Kind.TAG_VALUE, "prod-4111-1111"),
    (Kind.TAG_VALUE, "prod1234"),
    (Kind.TAG_VALUE, "pRod"),
    (Kind.TAG_VALUE, "prod--eu"),
    (Kind.TAG_VALUE, "123456"),
    (Kind.TAG_VALUE, "2026-11-22"),
    (Kind.TASK_CATEGORY, "horoscopes"),
    (Kind.TASK_CATEGORY, "prodpayments"),
    (Kind.PROVIDER, "4-4"),
    (Kind.TAG_KEY, "team"),
)
# Words that no list of nouns may contain, because they make sentences.
OF_SENTENCES = frozenset(
    "a an the i you he she it we they me him her my your his our their this that these those is are was were be been "
    "am do does did has have had can could will would shall should may might must not no yes and or but if because "
    "who what when where why how which whom whose please to from of in on at by for with about into over".split()
)


@pytest.mark.parametrize("term", SIBLINGS)
def test_a_sibling_of_a_catalogued_model_may_be_learned(term: str) -> None:
    assert is_learnable(Kind.MODEL, term)


@pytest.mark.parametrize("term", OPERATIONS)
def test_words_of_operations_may_be_learned(term: str) -> None:
    assert is_learnable(Kind.TAG_VALUE, term) or fault(Kind.TAG_VALUE, term) == "vocabulary.bad-term"


@pytest.mark.parametrize(("kind", "term"), STRANGERS)
def test_a_word_or_number_of_its_own_is_not_learned(kind: Kind, term: str) -> None:
    assert not is_learnable(kind, term)


def test_no_shipped_word_makes_a_sentence() -> None:
    assert frozenset(SHIPPED) & OF_SENTENCES == set()
    assert all(word == word.lower() and word.isalnum() for word in SHIPPED)


def made(random: Random, alphabet: str, length: int, marks: str) -> str:
    return "".join(
        random.choice(marks) if marks and place % 5 == 4 else random.choice(alphabet) for place in range(length)
    )


@pytest.mark.parametrize("alphabet", ["0123456789", "0123456789abcdef", "abcdefghijklmnopqrstuvwxyz0123456789"])
@pytest.mark.parametrize("marks", ["", "-", "-_.:"])
def test_no_random_string_is_learned(alphabet: str, marks: str) -> None:
    random = Random(12)
    terms = [made(random, alphabet, random.randrange(8, 40), marks) for _ in range(1_000)]
    assert [term for term in terms for kind in KINDS if is_learnable(kind, term)] == []


def test_what_may_be_learned_around_a_base_is_small() -> None:
    """The number that docs/policy.md publishes, by the bounds of schema/learning.py."""
    years, months, days = 8, 12, 31
    dates = 1 + 2 * (3 * years * months * days + 2 * years * months + months * days)
    version = (learning.MAJORS_MAX + 1) * (1 + 2 * (learning.MINORS_MAX + 1))
    around = [
        2 ** sum(not size for size, _, _ in parts)
        * (
            1
            + 2 * len(learning.VARIANTS.split())
            + sum(len(learning.SIZES) if size else version for size, _, _ in parts)
        )
        * dates
        for known in learning.families().values()
        for parts in known
    ]
    assert math.log2(max(around)) < 28
    assert math.log2(sorted(around)[len(around) // 2]) < 23
    assert math.log2(sum(around)) < 37


def test_every_catalogued_model_is_its_own_sibling() -> None:
    models = shipped_terms(Kind.MODEL)
    barred = {model for model in models if fault(Kind.MODEL, model)}
    assert [model for model in models if model not in barred and not is_learnable(Kind.MODEL, model)] == []


@pytest.mark.parametrize("field", ["task_category", "provider", "requested_model", "routed_model"])
def test_a_name_is_refused_as_unknown_and_never_learned(field: str) -> None:
    refusal = explain(sample.body(sample.event(**{field: "marjolein"})), VOCABULARIES[Mode.LEARN], window())
    kind = "model" if field.endswith("model") else field.replace("_", "-")
    assert [violation.rule for violation in refusal.violations] == [f"vocabulary.unknown-{kind}"]
    assert not getattr(refusal, "candidates", None)


def test_one_stranger_keeps_the_whole_batch_from_teaching() -> None:
    events = [sample.event(routed_model="claude-opus-6"), sample.event(routed_model="claude-marjolein-6")]
    refusal = explain(sample.body(*events), VOCABULARIES[Mode.LEARN], window())
    assert not getattr(refusal, "candidates", None)
    assert "marjolein" not in json.dumps([tuple(violation) for violation in refusal.violations])


def test_the_service_learns_no_content_and_no_key(
    sender_of: Callable[[str], Sender], server: Server, tenants: dict[str, Customer]
) -> None:
    """Every hundredth of the corpus, in each field, from a tenant that learns all kinds, with a token that may."""
    query = "SELECT kind, term FROM vocabulary WHERE tenant_id = $1 AND learned"
    before = cluster.fetch(server.dsn, query, tenants["learner"].tenant_id)
    terms = [term for one in classes() if one.group != "real" for term in one.terms][::100]
    sender = sender_of("learner")
    for term in terms:
        changes: list[dict[str, object]] = [{"tags": {"team": term}}]
        changes += [{name: term} for name in ("task_category", "provider", "requested_model")]
        for changed in changes:
            answer = sender.post(sample.body(sample.event(**changed)))
            assert answer.status == 422
            assert term not in answer.body.decode()
    assert len(terms) > 40
    assert cluster.fetch(server.dsn, query, tenants["learner"].tenant_id) == before


@pytest.mark.parametrize("kind", KINDS)
def test_traffic_may_teach_the_good_terms_of_the_state_machine_and_no_strange_ones(kind: Kind) -> None:
    assert all(is_learnable(kind, f"rerank-{number}") for number in terms.NUMBERS)
    assert [fault(kind, term) for term in terms.STRANGE] == [None] * len(terms.STRANGE)
    assert not any(is_learnable(kind, term) for term in terms.STRANGE)
