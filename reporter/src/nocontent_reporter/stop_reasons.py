"""Maps the providers' words for why a model stopped to an event's, by allow-list: another word is `other`."""

from collections.abc import Mapping

from nocontent_reporter.event import StopReason

ANTHROPIC: Mapping[str, StopReason] = {
    "end_turn": "end_turn",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "pause_turn": "pause_turn",
    "refusal": "content_filter",
    "model_context_window_exceeded": "context_window",
}
OPENAI: Mapping[str, StopReason] = {
    # Chat completions: `finish_reason`.
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filter",
    # Responses: `incomplete_details.reason`, else `status`.
    "completed": "end_turn",
    "max_output_tokens": "max_tokens",
}
GEMINI: Mapping[str, StopReason] = {
    "STOP": "end_turn",
    "MAX_TOKENS": "max_tokens",
    **dict.fromkeys(
        (
            "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR",
        ),
        "content_filter",
    ),
}  # fmt: skip
_NONE = frozenset({"FINISH_REASON_UNSPECIFIED", "in_progress", "queued", ""})


def anthropic(reason: object) -> StopReason | None:
    """Return the stop reason of a `Message.stop_reason`."""
    return _found(ANTHROPIC, reason)


def openai(reason: object) -> StopReason | None:
    """Return the stop reason of a `finish_reason`, or of `incomplete_details.reason` or `status` of a response."""
    return _found(OPENAI, reason)


def gemini(reason: object) -> StopReason | None:
    """Return the stop reason of a `Candidate.finish_reason`, an enum's member or its name."""
    return _found(GEMINI, reason)


def _found(words: Mapping[str, StopReason], reason: object) -> StopReason | None:
    word = getattr(reason, "value", reason)
    if not isinstance(word, str) or word in _NONE:
        return None if word is None or isinstance(word, str) else "other"
    return words.get(word, "other")
