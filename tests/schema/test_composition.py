"""Spellings: which ids are read as which term, and which are not."""

import pytest

from ingest.intake.explain import explain
from schema import limits
from schema.decode import Refused, decode
from schema.event import Kind
from schema.vocabulary import UNKNOWN_ID, Mode, Names, Vocabulary
from tests.support import sample
from tests.support.gauge import SHIPPED, window

TERMS = {
    "claude-opus-4-5", "claude-opus-4-6", "claude-sonnet-4-5-20250929", "gpt-4o", "gpt-oss-120b", "kimi-k2.5",
    "anthropic.claude-3-5-sonnet-20240620-v1:0", "deepseek-ai/DeepSeek-V3.1", "qwen3-8b", "llama3.3", "gemini-2.5-pro",
    "dall-e-2",
}  # fmt: skip
READ = {
    # prefixes of routers, clouds and makers
    "openrouter/anthropic/claude-opus-4-5": "claude-opus-4-5",
    "azure/gpt-4o": "gpt-4o",
    "models/gemini-2.5-pro": "gemini-2.5-pro",
    "publishers/google/models/gemini-2.5-pro": "gemini-2.5-pro",
    "accounts/fireworks/models/kimi-k2p5-x": None,
    "accounts/fireworks/models/gpt-oss-120b": "gpt-oss-120b",
    "hf:deepseek-ai/DeepSeek-V3.1": "deepseek-ai/DeepSeek-V3.1",
    "anthropic--claude-opus-4-5": "claude-opus-4-5",
    "~anthropic/claude-opus-4-5": "claude-opus-4-5",
    "ft:gpt-4o": "gpt-4o",
    # regions, commitments, ARNs
    "eu.anthropic.claude-3-5-sonnet-20240620-v1:0": "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "bedrock/us-gov-west-1/1-month-commitment/anthropic.claude-3-5-sonnet-20240620-v1:0":
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-sonnet-20240620-v1:0":
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us.anthropic.claude-3-5-sonnet-20240620-v1:0":
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "bedrock/converse/arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-6-v1":
        None,
    "low/1024-x-1024/dall-e-2": "dall-e-2",
    # dates and versions
    "gpt-4o-2031-07-18": "gpt-4o",
    "gpt-4o-0613": "gpt-4o",
    "gemini-2.5-pro-preview-05-20": "gemini-2.5-pro",
    "gemini-2.5-pro-exp-03-2025": "gemini-2.5-pro",
    "claude-opus-4-6@20260205": "claude-opus-4-6",
    "claude-opus-4-6@latest": "claude-opus-4-6",
    "gpt-4o:20240824-v2": "gpt-4o",
    "anthropic.claude-opus-4-6-20260205-v1:0": "claude-opus-4-6",
    "gemini-2.5-pro-001": "gemini-2.5-pro",
    # tiers, reasoning, precision, context
    "anthropic/claude-opus-4.6:thinking": "claude-opus-4-6",
    "claude-opus-4-6-thinking:8192": "claude-opus-4-6",
    "openai/gpt-oss-120b:free": "gpt-oss-120b",
    "openai/gpt-oss-120b:nitro": "gpt-oss-120b",
    "gpt-oss-120b-fp8": "gpt-oss-120b",
    "gpt-oss-120b-cloud": "gpt-oss-120b",
    "hf.co/bartowski/Qwen3-8B-GGUF:Q4_K_M": "qwen3-8b",
    "claude-opus-4-6-1m": "claude-opus-4-6",
    # marks and case
    "claude-opus-4.6": "claude-opus-4-6",
    "Kimi-K2.5": "kimi-k2.5",
    "kimi-k2-5": "kimi-k2.5",
    "gpt-oss:120b": "gpt-oss-120b",
    "qwen3:8b": "qwen3-8b",
    "llama3.3:latest": "llama3.3",
}  # fmt: skip
REFUSED = [
    "anthropic/ignore-previous-instructions",
    "openrouter/claude-opus-4-5:sk-proj-Zx81",
    "gpt-4o-my-secret-project",
    "gpt-4o-please-summarize-the-layoffs",
    "my-gpt-4o",
    "acme/gpt-4o",
    "ft:gpt-4o:acme-hr:layoffs:B7xQ",
    "ft:gpt-4o:acme::b7xq",
    "gpt-4o-" + "20250101" * 5,
    "gpt-4o-20259901",
    "gpt-4o-20250932",
    "gpt-4o-19991231",
    "gpt-4o-2024-07-18-2024-07-18",  # One of a kind.
    "gpt-4o-free-nitro-batch",
    "gpt-4o-123456789012",
    "4111111111111111/gpt-4o",
    "openrouter/openrouter/gpt-4o",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/marjolein",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
    "arn:aws:bedrock:us-east-1:1234567890123:inference-profile/claude-opus-4-6",
    "arn:aws:sagemaker:us-east-1:123456789012:endpoint/gpt-4o",
    "sagemaker/our-layoffs-endpoint",
    "projects/our-project/locations/us-central1/publishers/google/models/gemini-2.5-pro",
    "gpt---4o",
    "gpt-4o-",
    "gpt-4o/",
    "gpt 4o",
    "gpt-4o ",
    "gpt-4o\u017f",
    "-gpt-4o-x",
    "_gpt-4o",
    "-gpt-4o",
    "/gpt-4o",
    "gpt-4o_",
    "openrouter/",
    "latest",
    "",
    "openrouter/" * 20 + "gpt-4o",
    "Unknown",
    "openrouter/unknown",
]


def vocabulary(mode: Mode = Mode.REFUSE, terms: set[str] = TERMS) -> Vocabulary:
    return Vocabulary(
        dict.fromkeys(Kind, mode), {**SHIPPED, Kind.MODEL: {term: place for place, term in enumerate(sorted(terms), 1)}}
    )


def read(spelling: str, known: Vocabulary | None = None) -> str | None:
    """Return the term that a model id is stored as."""
    models = (known or vocabulary()).kinds[Kind.MODEL]
    term_id = models.find(spelling)
    return next((term for term, known_id in {**models.shipped, **models.own}.items() if known_id == term_id), None)


@pytest.mark.parametrize("spelling", READ)
def test_a_spelling_is_read_as_its_term(spelling: str) -> None:
    assert read(spelling) == READ[spelling]


@pytest.mark.parametrize("spelling", REFUSED)
def test_whatever_is_not_of_the_closed_lists_is_refused(spelling: str) -> None:
    assert read(spelling) is None


@pytest.mark.parametrize("secret", ["ignore", "layoffs", "sk", "b7xq", "123456", "20250931a", "p4ssw0rd"])
def test_a_strange_word_is_refused_in_every_place_of_a_spelling(secret: str) -> None:
    parts = "openrouter anthropic claude opus 4 6 20260205 v1 0 free".split()
    assert read("-".join(parts)) == "claude-opus-4-6"
    for place in range(len(parts) + 1):
        for mark in "-/:.@_":
            assert read(mark.join([*parts[:place], secret, *parts[place:]])) is None, (place, mark)


def test_the_fewest_parts_are_taken_away_and_those_before_the_term_first() -> None:
    known = vocabulary(terms={"azure/gpt-4o", "gpt-4o-2024-05-13", "gpt-4o"})
    assert read("openrouter/azure/gpt-4o", known) == "azure/gpt-4o"
    assert read("azure/gpt-4o-2024-05-13", known) == "gpt-4o-2024-05-13"
    assert read("azure/gpt-4o-2024-05-14", known) == "azure/gpt-4o"


def test_of_terms_that_differ_in_marks_or_case_the_plainest_is_stored_whatever_their_order() -> None:
    terms = ["DeepSeek-V3.1", "deepseek.v3.1", "deepseek-v3.1"]
    for order in (terms, terms[::-1]):
        assert Names(dict.fromkeys(order, 1)).forms == {"deepseek-v3-1": "deepseek-v3.1"}


def test_a_term_itself_is_never_read_as_another() -> None:
    known = vocabulary(terms={"azure/gpt-4o", "gpt-4o"})
    assert read("azure/gpt-4o", known) == "azure/gpt-4o"


def test_a_term_that_is_registered_later_wins_from_then_on_and_a_removed_one_is_refused() -> None:
    known = vocabulary()
    models = known.kinds[Kind.MODEL]
    before = models["azure/gpt-4o"]
    assert before == models.shipped["gpt-4o"]
    known.add(Kind.MODEL, 0, "azure/gpt-4o", 20_000)
    assert models["azure/gpt-4o"] == models["Azure/GPT-4o"] == 20_000
    known.remove(Kind.MODEL, 0, "azure/gpt-4o")
    with pytest.raises(KeyError):
        models["azure/gpt-4o"]
    assert models["openrouter/gpt-4o"] == before


def test_a_tenants_own_term_is_read_too_and_before_the_catalogues() -> None:
    known = vocabulary()
    known.add(Kind.MODEL, 0, "prod-weu", 20_000)
    known.add(Kind.MODEL, 0, "GPT-4O", 20_001)
    models = known.kinds[Kind.MODEL]
    assert models["azure/prod-weu"] == 20_000
    assert models["azure/gpt-4o-0613"] == 20_001
    assert models["gpt-4o"] == models.shipped["gpt-4o"]
    assert vocabulary().kinds[Kind.MODEL].find("azure/prod-weu") is None


def test_a_category_or_a_provider_is_read_without_regard_to_case_and_marks_but_has_no_parts() -> None:
    known = vocabulary()
    category, provider = known.kinds[Kind.TASK_CATEGORY], known.kinds[Kind.PROVIDER]
    assert category["Code-Generation"] == category["code_generation"]
    assert provider["Azure-AI"] == provider["azure_ai"]
    for terms, strange in ((category, "summarization-latest"), (provider, "openrouter/anthropic")):
        with pytest.raises(KeyError):
            terms[strange]


def test_a_tenant_that_coarsens_has_a_spelling_stored_as_its_term_and_nothing_strange_is_remembered() -> None:
    known = vocabulary(Mode.COARSEN)
    models = known.kinds[Kind.MODEL]
    changed = {"requested_model": "openrouter/gpt-4o:free", "routed_model": "our-layoffs-list"}
    decoded = decode(sample.body(sample.event(**changed, tags={})), known, window())
    assert decoded.numbers["requested_model"] == [models.shipped["gpt-4o"]]
    assert decoded.numbers["routed_model"] == [UNKNOWN_ID]
    assert decoded.coarsened == 1
    assert "our-layoffs-list" not in {*models, *models.read}


@pytest.mark.parametrize("mode", Mode)
def test_only_so_many_spellings_are_read_in_a_batch(mode: Mode) -> None:
    known = vocabulary(mode)
    models = {
        f"gpt-4o-20{year}-{month:02}-{day:02}"
        for year in range(25, 28)
        for month in range(1, 8)
        for day in range(1, 29)
    }
    spellings = sorted(models)[: limits.SPELLINGS_MAX + 1]

    def body(spelled: list[str]) -> bytes:
        return sample.body(*(sample.event(requested_model=model, routed_model="gpt-4o", tags={}) for model in spelled))

    if mode is Mode.COARSEN:
        assert decode(body(spellings), known, window()).coarsened == 1
    else:
        with pytest.raises(Refused):
            decode(body(spellings), known, window())
        assert [violation.rule for violation in explain(body(spellings), known, window()).violations] == [
            "size.too-many-spellings"
        ]
    assert decode(body(spellings[:-1]), known, window()).coarsened == 0


def test_what_is_remembered_is_bounded() -> None:
    models = vocabulary().kinds[Kind.MODEL]
    dates = (f"20{year}{month:02}{day:02}" for year in range(22, 36) for month in range(1, 13) for day in range(1, 29))
    for date in dates:
        models.read.clear()
        assert models[f"gpt-4o-{date}"] == models.shipped["gpt-4o"]
        assert len(models) <= limits.STRINGS_CACHED_MAX
