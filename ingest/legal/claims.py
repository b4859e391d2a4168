"""The sentences of the page /security: each names the tests that show it, or says that the operator attests it.

`claims.toml` has them; `claims-run.json` has the last run in which each test passed: `make security-claims` writes it.
"""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

_FOLDER = resources.files("ingest.legal")
CLAIMS = "claims.toml"
RUNS = "claims-run.json"

Sentence = Annotated[str, Meta(pattern=r"\A[A-Z][^\n]{10,300}\.\Z")]
TestName = Annotated[str, Meta(pattern=r"\Atests/[a-z0-9_/]+\.py::test_[a-z0-9_]+\Z")]
Slug = Annotated[str, Meta(pattern=r"\A[a-z][a-z-]{2,40}\Z")]


class Claim(Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence, with the tests that show it."""

    says: Sentence
    tests: Annotated[tuple[TestName, ...], Meta(min_length=1)]


class Attestation(Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence about the deployment, which no test of ours can show: it holds if the operator attests it."""

    id: Slug
    says: Sentence


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the page."""

    title: str
    claims: tuple[Claim, ...]


class Page(Struct, frozen=True, forbid_unknown_fields=True):
    """All that the page says."""

    sections: tuple[Section, ...]
    attestations: tuple[Attestation, ...]


class Run(Struct, frozen=True, forbid_unknown_fields=True):
    """A run of tests: the commit that was tested, and when it ended."""

    commit: Annotated[str, Meta(pattern=r"\A[0-9a-f]{40}\Z")]
    at: Annotated[datetime, Meta(tz=True)]


@cache
def page() -> Page:
    """Return what the page says."""
    return msgspec.convert(tomllib.loads((_FOLDER / CLAIMS).read_text("utf-8")), Page)


@cache
def runs() -> Mapping[str, Run]:
    """Return the last run in which each test passed."""
    return msgspec.json.decode((_FOLDER / RUNS).read_bytes(), type=dict[str, Run])


def tests() -> Sequence[str]:
    """Return the tests of all claims, each once."""
    return sorted({test for section in page().sections for claim in section.claims for test in claim.tests})


def last_run(claim: Claim, known: Mapping[str, Run]) -> Run | None:
    """Return the last run in which all tests of a claim had passed, or None: one of them has no such run.

    It is the oldest of theirs, so that no test was last seen to pass before it.
    """
    found = [known[test] for test in claim.tests if test in known]
    return min(found, key=lambda run: run.at) if len(found) == len(claim.tests) else None
