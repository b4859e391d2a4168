"""What the gauntlet lets through and what it bars, by rule."""

import pytest

from schema.event import Kind
from schema.gauntlet import fault
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


# Ids that their makers gave and that look like a hash.
KNOWN_HEX: frozenset[str] = frozenset()
