"""Content dressed as an identifier, in every field that takes a term."""

from collections.abc import Iterator

from ingest.prove.case import Case, refused
from ingest.prove.kit import Kit
from ingest.prove.places import FIELDS_AND_KEYS
from ingest.prove.words import SLUGS

_DRESSES = """
{} gpt-4o-{} gpt-4o-2024-08-06-{} gpt-4o:{} gpt-4o/{} gpt-4o@{} claude-opus-4-5-{} claude-opus-4-5@{} claude-{}-latest
ft:gpt-4o:acme:{}:9abcde ft:gpt-4o-mini-2024-07-18:acme::{} publishers/x/models/{}
projects/acme/locations/eu/publishers/google/models/{} models/{} tunedModels/{} accounts/acme/models/{}
anthropic.{}-v1:0 us.anthropic.{}-v1:0 bedrock/us-east-1/{} arn:aws:bedrock:us-east-1:481516234210:custom-model/{}
azure/{} openrouter/{} huggingface/acme/{} @cf/acme/{} ~acme/{}-latest hf:acme/{} ollama/{}:8b deployment-{}
{}-7b-instruct {}.gguf {}_v2 v1.{} team-{} team.{} {}-2026-01-01 s3://acme/{} registry.acme/{}:latest
{}+{} 0-{} {}--{} org/{}/{}
""".split()
_CHARS_MAX = 96


def dressed_identifiers(kit: Kit) -> Iterator[Case]:
    for dress in _DRESSES:
        for number, slug in enumerate(SLUGS):
            for style in ("kebab", "snake", "upper"):
                for where, put in FIELDS_AND_KEYS.items():
                    canary = kit.canary()
                    term = _styled(style, dress.replace("{}", slug.format(canary)))
                    what = f"{dress.replace('{}', '…')}, text {number}, {style}, for {where}"
                    yield refused(what, canary, put(kit, term))


def _styled(style: str, term: str) -> str:
    if style == "snake":
        return term.replace("-", "_")[:_CHARS_MAX]
    return term.upper() if style == "upper" else term
