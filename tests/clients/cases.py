"""Real clients, how each is switched, and what must become of what it sends."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ingest.knowledge.diagnostics import Diagnostics
from tests.clients.litellm_proxy import FAILED, FAILED_WITH_TOOLS, REPORTER, SUCCEEDED

_SUCCESSES = {"event_types": ["llm_api_success"], "log_format": "ndjson"}
_FAILURES = {"event_types": ["llm_api_failure"], "log_format": "single"}


class Expected(NamedTuple):
    """The rows stored, the records rejected by themselves, and the rules by which whole requests are refused."""

    stored: int
    rejected: int = 0
    refused: frozenset[str] = frozenset()


class Case(NamedTuple):
    """A client with its switches, reporting for a tenant of its own."""

    client: str
    switch: str
    expected: Expected
    diagnostics: Diagnostics = Diagnostics.REFUSE


class LiteLLMCase(NamedTuple):
    """A callback of LiteLLM's proxy, and its case."""

    name: str
    case: Case
    settings: Mapping[str, object] = {}


_CONTENT = frozenset({"content.message", "content.output", "content.prompt", "content.tool"})
_ALL = SUCCEEDED + FAILED + FAILED_WITH_TOOLS
# Without `turn_off_message_logging`, and with the configuration of docs/litellm.md.
LITELLM_PLAIN: Sequence[LiteLLMCase] = (
    LiteLLMCase("plain", Case("LiteLLM generic_api", "as it comes", Expected(0, 0, _CONTENT), Diagnostics.DISCARD)),
    LiteLLMCase(REPORTER, Case("LiteLLM with nocontent-reporter", "as it comes", Expected(_ALL))),
)
LITELLM_REDACTED: Sequence[LiteLLMCase] = (
    LiteLLMCase("successes", Case("LiteLLM generic_api", "redacted, successes", Expected(SUCCEEDED)), _SUCCESSES),
    LiteLLMCase(
        "failures",
        Case(
            "LiteLLM generic_api", "redacted, failures one by one",
            Expected(0, FAILED, frozenset({"content.tool"})),
        ),
        _FAILURES,
    ),
    LiteLLMCase(
        "failures_discarded",
        Case(
            "LiteLLM generic_api", "redacted, failures one by one",
            Expected(FAILED, 0, frozenset({"content.tool"})), Diagnostics.DISCARD,
        ),
        {**_FAILURES, "max_retries": 2},  # LiteLLM keeps one of two loggers that differ in headers alone.
    ),
    LiteLLMCase("openmeter", Case("LiteLLM openmeter", "as it comes", Expected(SUCCEEDED))),
)  # fmt: skip
EXAMPLES: Mapping[str, Case] = {
    "anthropic_sdk": Case("Anthropic's SDK with nocontent-reporter", "reporter/examples/anthropic_sdk.py", Expected(1)),
    "openai_sdk": Case("OpenAI's SDK with nocontent-reporter", "reporter/examples/openai_sdk.py", Expected(1)),
}
