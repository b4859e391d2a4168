"""docs/gateway-memory.md counts what the filter refuses, what the tests try, and what the proof sends."""

import re

from ingest.gateway.confine import system_calls
from ingest.prove.canaries import FORMS, Canaries
from ingest.prove.gateway.attempts import ATTEMPTS as PROOF_ATTEMPTS
from ingest.prove.gateway.ends import ENDS
from ingest.prove.gateway.passages import BROKEN, asks_provider, passages
from tests.gateway.confine.test_layers import MUST_NOT
from tests.support.service import ROOT

PAGE = (ROOT / "docs/gateway-memory.md").read_text("utf-8")
_FOUR = 4


def test_the_page_counts_calls_and_attempts() -> None:
    denied = system_calls.DENIED | system_calls.MODES
    assert f"the kernel refuses {len(denied)} calls" in PAGE
    assert f"| {len(MUST_NOT)} attempts, as root and as another user" in PAGE


def test_the_page_counts_what_the_proof_does() -> None:
    every = list(passages(Canaries(b"x" * 32)))
    assert f"sends {len(every)} requests" in PAGE
    assert f"sends those {sum(not asks_provider(each) for each in every)} requests" in PAGE
    assert re.search(rf"\b{len(BROKEN)} kinds of broken providers", PAGE)
    assert len(ENDS) == _FOUR
    assert "ends four workers" in PAGE
    assert f"in {len(FORMS)} encodings" in PAGE
    assert f"in {len(PROOF_ATTEMPTS)} ways" in PAGE
