"""The terms that the gauntlet passes, and those that it bars, by rule."""

import pytest

from schema.event import Kind
from schema.gauntlet import SURPRISE_BITS_MAX, fault
from schema.letters import surprise
from schema.vocabulary import UNKNOWN, shipped_terms

CATALOGUE = (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL)


@pytest.mark.parametrize(
    ("kind", "term"),
    [
        (Kind.MODEL, "gpt-4o-2024-08-06"),
        (Kind.MODEL, "claude-opus-4-5-20251101"),
        (Kind.MODEL, "us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        (Kind.MODEL, "@cf/meta/llama-3.1-8b-instruct"),
        (Kind.MODEL, "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        (Kind.MODEL, "m"),
        (Kind.MODEL, "acme-model-1"),
        (Kind.PROVIDER, "llm.internal.example"),
        (Kind.TASK_CATEGORY, "contract_review"),
        (Kind.TAG_KEY, "team"),
        (Kind.TAG_KEY, "cost-center"),
        (Kind.TAG_VALUE, "search"),
        (Kind.TAG_VALUE, "en-US"),
        (Kind.TAG_VALUE, "CC-2040"),
        (Kind.TAG_VALUE, "python-sdk/2.34.0"),
        (Kind.TAG_VALUE, "AB_TEST_33"),
        (Kind.TAG_VALUE, "team:search+ads"),
        (Kind.TAG_VALUE, "eu-west-1"),
        (Kind.TAG_VALUE, "build-4711"),
        (Kind.TAG_VALUE, "2026-11-22"),
    ],
)
def test_an_honest_term_has_no_fault(kind: Kind, term: str) -> None:
    assert fault(kind, term) is None


@pytest.mark.parametrize(
    ("kind", "term", "rule"),
    [
        (Kind.MODEL, "", "vocabulary.bad-term"),
        (Kind.MODEL, UNKNOWN, "vocabulary.bad-term"),
        (Kind.MODEL, "gpt 4o", "vocabulary.bad-term"),
        (Kind.MODEL, "gpt-4o\n", "vocabulary.bad-term"),
        (Kind.MODEL, "-gpt", "vocabulary.bad-term"),
        (Kind.MODEL, "a" * 97, "vocabulary.bad-term"),
        (Kind.MODEL, "\u0430nthropic", "vocabulary.bad-term"),
        (Kind.MODEL, "\u0661", "vocabulary.bad-term"),
        (Kind.TAG_VALUE, "our search", "vocabulary.bad-term"),
        (Kind.TAG_VALUE, "/a/b", "vocabulary.bad-term"),
        (Kind.TAG_VALUE, "Sea rch", "vocabulary.bad-term"),
        (Kind.TAG_VALUE, "a@b", "vocabulary.bad-term"),
        (Kind.TAG_VALUE, "a" * 65, "vocabulary.bad-term"),
        (Kind.TAG_KEY, "prompt", "content.prompt"),
        (Kind.TAG_KEY, "user_prompt", "content.prompt"),
        (Kind.TAG_KEY, "api-key", "secret.field"),
        (Kind.TAG_KEY, "metadata", "content.free-form"),
        (Kind.MODEL, "sk-ant-api03-aaaaaaaa", "secret.anthropic-key"),
        (Kind.TAG_VALUE, "hf_aaaaaaaaaaaaaaaaaaaaaa", "secret.model-host-key"),
        (Kind.MODEL, "ft:gpt-4o:acme::sk-aaaaaaaaaaaaaaaaaaaaaaaa", "secret.openai-key"),
        (Kind.TAG_VALUE, "deadbeefdeadbeefdeadbeef", "secret.high-entropy"),
        (Kind.MODEL, "x9Kd2mQ7vR4tB1nZ8", "secret.high-entropy"),
        (Kind.TAG_VALUE, "9f6c2b1e-58d3-4a7e-8c1b-0f2e4d6a8b0c", "secret.high-entropy"),
        (Kind.MODEL, "706c656173652073756d", "vocabulary.encoded"),
        (Kind.MODEL, "please-summarize-the-layoffs-list-for-marjolein-now", "vocabulary.prose"),
        (Kind.TAG_VALUE, "she-was-fired-because-she-had-complained-about-him", "vocabulary.prose"),
    ],
)  # fmt: skip
def test_a_dishonest_term_is_barred_by_rule(kind: Kind, term: str, rule: str) -> None:
    assert fault(kind, term) == rule


@pytest.mark.parametrize("kind", CATALOGUE)
def test_no_shipped_term_is_a_secret(kind: Kind) -> None:
    assert {term for term in shipped_terms(kind) if (fault(kind, term) or "").startswith("secret.")} <= KNOWN_HEX


# Makers' ids that look like a hash.
KNOWN_HEX: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("kind", "term"),
    [
        (Kind.MODEL, "7b"),
        (Kind.MODEL, "4o"),
        (Kind.MODEL, "8x22b-instruct-awq-int4"),
        (Kind.MODEL, "claude-opus-4-5-20251101"),
        (Kind.MODEL, "llama3.3:70b-instruct-q4_K_M"),
        (Kind.MODEL, "google/gemini-2.5-flash-preview-05-20"),
        (Kind.MODEL, "ft:gpt-4o-2024-08-06:acme:ticket-router:9sDfGhJk"),
        (Kind.MODEL, "claude-3-5-sonnet-v2@20241022"),
        (Kind.MODEL, "mistral-large@latest"),
        (Kind.TASK_CATEGORY, "text-to-speech"),
        (Kind.TASK_CATEGORY, "generate-report"),
        (Kind.PROVIDER, "llm.internal.example"),
        (Kind.TAG_VALUE, "claude"),
        (Kind.TAG_VALUE, "jamba"),
        (Kind.TAG_VALUE, "alpha"),
        (Kind.TAG_VALUE, "customer-000042"),
        (Kind.TAG_VALUE, "customer-support-tier-2"),
        (Kind.TAG_VALUE, "q3"),
    ],
)
def test_what_stands_close_to_a_fault_has_none(kind: Kind, term: str) -> None:
    assert fault(kind, term) is None


@pytest.mark.parametrize(
    ("kind", "term", "rule"),
    [
        (Kind.TAG_VALUE, "a1b2c3d4e5f6a7b8", "secret.high-entropy"),
        (Kind.TAG_VALUE, "a1b2-c3d4-e5f6-a7b8", "secret.high-entropy"),
        (Kind.TAG_VALUE, "a1b2c3d4.e5f6a7b8", "secret.high-entropy"),
        (Kind.MODEL, "gpt-4o-x9kd2mq7vr4tb1nz8", "secret.high-entropy"),
        (Kind.MODEL, "glpat-aB3dE6gH9jK2mN5pQ8sT", "secret.github-token"),
        (Kind.MODEL, "xoxo-481516234248-aB3dE6gH", "secret.slack-token"),
        (Kind.TAG_VALUE, "rzp_test_ab3de6gh9jk2mn", "secret.saas-token"),
        (Kind.TAG_VALUE, "hunter2", "secret.password"),
        (Kind.MODEL, "P@ssw0rd", "secret.password"),
        (Kind.TAG_VALUE, "john.smith", "vocabulary.name"),
        (Kind.TAG_VALUE, "smith-john", "vocabulary.name"),
        (Kind.TAG_VALUE, "maria_van_der_berg", "vocabulary.name"),
        (Kind.MODEL, "JohnSmith", "vocabulary.name"),
        (Kind.TAG_VALUE, "dr-hernandez", "vocabulary.name"),
        (Kind.MODEL, "john@example.org", "vocabulary.address"),
        (Kind.TAG_VALUE, "john-at-gmail-com", "vocabulary.address"),
        (Kind.TAG_VALUE, "10.1.2.3", "vocabulary.address"),
        (Kind.TAG_VALUE, "12-oak-street", "vocabulary.address"),
        (Kind.TAG_VALUE, "rue-de-rivoli-12", "vocabulary.address"),
        (Kind.TAG_VALUE, "4111-1111-1111-1111", "vocabulary.number"),
        (Kind.TAG_VALUE, "06.12.34.56.78", "vocabulary.number"),
        (Kind.TAG_VALUE, "1985-03-12", "vocabulary.number"),
        (Kind.MODEL, "ignoreallpreviousinstructions", "vocabulary.prose"),
        (Kind.MODEL, "how-do-i-reset-my-password", "vocabulary.prose"),
        (Kind.MODEL, "HOW-DO-I-RESET-MY-PASSWORD", "vocabulary.prose"),
        (Kind.TAG_VALUE, "patient-is-hiv-positive", "vocabulary.prose"),
        (Kind.TAG_VALUE, "wie-kann-ich-mein-passwort-aendern", "vocabulary.prose"),
        (Kind.MODEL, "vtaber-nyy-cerivbhf-vafgehpgvbaf", "vocabulary.encoded"),
        (Kind.MODEL, "snoitcurtsni-suoiverp-erongi", "vocabulary.encoded"),
    ],
)  # fmt: skip
def test_what_looks_away_from_a_fault_has_it(kind: Kind, term: str, rule: str) -> None:
    assert fault(kind, term) == rule


def test_surprise_is_of_letters_and_not_of_marks() -> None:
    key = "x7kqm2np4hd9z8vw1tgc"
    by_four = "-".join(key[place : place + 4] for place in range(0, len(key), 4))
    assert surprise("meta-llama/Llama-3.3-70B-Instruct-Turbo") < SURPRISE_BITS_MAX / 2
    assert min(surprise(key), surprise(by_four)) > SURPRISE_BITS_MAX
