"""Turns the usage objects of providers into token counts of an event: integers by allow-list, nothing else is read.

Each function takes what the provider's SDK or API returns as usage (an object or a dict; None if there is none).
Providers count differently; an event's counts are disjoint, except that reasoning is part of output:

- Anthropic: already disjoint; thinking is part of output. The tokens of a compaction (beta) are not in these counts.
  https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
- OpenAI, both APIs: input includes what was read from and written to the cache, output includes reasoning.
  https://platform.openai.com/docs/guides/prompt-caching
  xAI's chat completions do not include reasoning in output, but in the total.
  https://docs.x.ai/docs/key-information/consumption-and-rate-limits
- Gemini: the prompt includes cached content; thoughts and the results of tools are beside output and prompt.
  https://ai.google.dev/api/generate-content#UsageMetadata
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict


class Tokens(TypedDict):
    """The token counts of an event, for `Event(**usage.tokens, ...)`."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts, and how many of them were not possible, such as negative ones, and became 0 or the highest."""

    tokens: Tokens
    clamped: int


def anthropic(usage: object) -> Usage:
    """Return the counts of a `Message.usage`, also of the last event of a stream."""
    counts = _Counts(usage)
    written = counts.of("cache_creation_input_tokens")
    written_1h = counts.of("cache_creation.ephemeral_1h_input_tokens")
    written_5m = counts.of("cache_creation.ephemeral_5m_input_tokens")
    return counts.usage(
        _Parts(
            uncached=counts.of("input_tokens"),
            read=counts.of("cache_read_input_tokens"),
            written_5m=max(written_5m, written - written_1h),  # Before there were two durations, all had the shorter.
            written_1h=written_1h,
        ),
        output=counts.of("output_tokens"),
        reasoning=counts.of("output_tokens_details.thinking_tokens"),
    )


def openai(usage: object) -> Usage:
    """Return the counts of the usage of chat completions (`ChatCompletion.usage`) or responses (`Response.usage`)."""
    counts = _Counts(usage)
    whole = counts.of("input_tokens", "prompt_tokens")
    read = counts.of("input_tokens_details.cached_tokens", "prompt_tokens_details.cached_tokens")
    written = counts.of("input_tokens_details.cache_write_tokens", "prompt_tokens_details.cache_write_tokens")
    written_long = counts.of("input_tokens_details.cache_write_tokens_details.ttl_12h_tokens")
    output = counts.of("output_tokens", "completion_tokens")
    reasoning = counts.of("output_tokens_details.reasoning_tokens", "completion_tokens_details.reasoning_tokens")
    if reasoning and counts.of("total_tokens") == whole + output + reasoning:
        output += reasoning  # xAI.
    return counts.usage(
        _Parts(
            uncached=whole - read - written,
            read=read,
            written_5m=written - written_long,
            written_1h=written_long,
        ),
        output=output,
        reasoning=reasoning,
    )


def gemini(usage: object) -> Usage:
    """Return the counts of a `usage_metadata`, or of the API's `usageMetadata`."""
    counts = _Counts(usage)
    read = counts.of("cached_content_token_count", "cachedContentTokenCount")
    prompt = counts.of("prompt_token_count", "promptTokenCount")
    tools = counts.of("tool_use_prompt_token_count", "toolUsePromptTokenCount")
    thoughts = counts.of("thoughts_token_count", "thoughtsTokenCount")
    candidates = counts.of("candidates_token_count", "candidatesTokenCount")
    return counts.usage(
        _Parts(uncached=prompt - read + tools, read=read, written_5m=0, written_1h=0),
        output=candidates + thoughts,
        reasoning=thoughts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    uncached: int
    read: int
    written_5m: int
    written_1h: int


class _Counts:
    """Reads counts by name, and remembers how many were not possible."""

    def __init__(self, usage: object) -> None:
        self._usage = usage
        self._clamped = 0

    def of(self, *paths: str) -> int:
        """Return the count at the first of the paths that is there; 0 if it is absent or no whole number."""
        value: object = 0
        for path in paths:
            if found := _at(self._usage, path):
                value = found
                break
        if isinstance(value, int) and not isinstance(value, bool):
            return self._positive(value)
        self._clamped += 1
        return 0

    def usage(self, parts: _Parts, output: int, reasoning: int) -> Usage:
        if reasoning > output:
            self._clamped += 1
        tokens = Tokens(
            input_tokens=self._positive(parts.uncached),
            output_tokens=output,
            cache_read_tokens=parts.read,
            cache_write_5m_tokens=self._positive(parts.written_5m),
            cache_write_1h_tokens=parts.written_1h,
            reasoning_tokens=min(reasoning, output),
        )
        return Usage(tokens, self._clamped)

    def _positive(self, count: int) -> int:
        if count >= 0:
            return count
        self._clamped += 1
        return 0


def _at(usage: object, path: str) -> object:
    """Return what is at a path of names, in objects or dicts; None if it is absent."""
    found = usage
    for name in path.split("."):
        # The first question is 20 times as fast as the second, and nearly always enough.
        found = found.get(name) if type(found) is dict or isinstance(found, Mapping) else getattr(found, name, None)
    return found
