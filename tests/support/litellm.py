"""Records as LiteLLM 1.106 sends them, with the prompt removed as its own settings do, to be changed in one thing."""

import json
import secrets
import time
from collections.abc import Sequence

Record = dict[str, object]

_USAGE = {
    "completion_tokens": 42,
    "prompt_tokens": 2125,
    "total_tokens": 2167,
    "completion_tokens_details": {"reasoning_tokens": 7, "text_tokens": 35},
    "prompt_tokens_details": {
        "audio_tokens": None,
        "cached_tokens": 2000,
        "cache_creation_tokens": 100,
        "cache_creation_token_details": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
    },
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 2000,
    "service_tier": "standard",
}
_HIDDEN = {
    "model_id": "7550d6c66361a162",
    "api_base": "https://api.anthropic.com",
    "additional_headers": {"x-litellm-attempted-retries": 0, "x-litellm-attempted-fallbacks": 0},
    "litellm_model_name": "anthropic/claude-haiku-4-5",
}
_NO_ERROR = {"error_code": "", "error_class": "", "llm_provider": "", "traceback": "", "error_message": ""}
FAILURE = {
    "status": "failure",
    "error_str": "litellm.BadRequestError: messages.0.content: unexpected value",
    "error_information": {
        **_NO_ERROR, "error_code": "400", "error_class": "BadRequestError", "error_message": "unexpected value",
        "traceback": 'File "main.py", line 1',
    },
    "response_cost": 0.0,
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "metadata": {},
}  # fmt: skip
METADATA = {
    "user_api_key_alias": None,
    "requester_metadata": {},
    "requester_custom_headers": {},
    "routing_decision": None,
    "mcp_tool_call_metadata": None,
    "vector_store_request_metadata": None,
    "prompt_management_metadata": None,
    "usage_object": _USAGE,
}


def record(**changed: object) -> Record:
    """Return a good record with a new id, with members changed or added."""
    started_s = time.time() - 1.0
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "litellm_call_id": secrets.token_hex(12),
        "call_type": "acompletion",
        "cache_hit": None,
        "stream": None,
        "status": "success",
        "custom_llm_provider": "anthropic",
        "startTime": started_s,
        "endTime": started_s + 0.9,
        "completionStartTime": started_s + 0.2,
        "response_time": 0.84,
        "model": "anthropic/claude-haiku-4-5",
        "model_group": "claude-opus-4-5",
        "metadata": METADATA,
        "response_cost": 0.00177,
        "total_tokens": 2167,
        "prompt_tokens": 2125,
        "completion_tokens": 42,
        "request_tags": ["team:search", "User-Agent: curl"],
        "hidden_params": _HIDDEN,
        "error_str": None,
        "error_information": _NO_ERROR,
        **changed,
    }


def body(records: Sequence[Record]) -> bytes:
    """Return a body with these records."""
    return json.dumps(records).encode("ascii")


def lines(records: Sequence[Record]) -> bytes:
    """Return the same as NDJSON."""
    return b"\n".join(json.dumps(each).encode("ascii") for each in records)
