"""Finds what a record of LiteLLM must not carry: content, and free text about an error.

The record is a StandardLoggingPayload. What is not in these tables and not in the mapping (`records`) is never
read. LiteLLM's own redaction leaves a sentinel in the place of a text, which counts as none.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial

import msgspec
from msgspec import Raw

from ingest.intake import members
from schema.limits import VALUE_BYTES_MAX
from schema.rules import rule_of_name, rule_of_value

_Path = tuple[str, ...]
CONTENT: Mapping[_Path, str] = {
    ("messages",): "content.message",
    ("response",): "content.output",
    ("proxy_server_request",): "content.prompt",
    ("classifier_input",): "content.prompt",
    ("originating_request_masked",): "content.prompt",
    ("model_parameters", "messages"): "content.message",
    ("model_parameters", "tools"): "content.tool",
    ("model_parameters", "functions"): "content.tool",
    ("model_parameters", "response_format"): "content.tool",
    ("model_parameters", "stop"): "content.prompt",
    ("model_parameters", "stop_sequences"): "content.prompt",
    ("model_parameters", "system"): "content.prompt",
    ("model_parameters", "instructions"): "content.prompt",
    ("model_parameters", "prompt"): "content.prompt",
    ("model_parameters", "input"): "content.prompt",
    ("model_parameters", "prediction"): "content.output",
    ("metadata", "mcp_tool_call_metadata", "arguments"): "content.tool",
    ("metadata", "mcp_tool_call_metadata", "result"): "content.tool",
    ("metadata", "vector_store_request_metadata", "query"): "content.prompt",
    ("metadata", "vector_store_request_metadata", "vector_store_search_response"): "content.document",
    ("metadata", "prompt_management_metadata", "prompt_variables"): "content.prompt",
    ("metadata", "routing_decision", "signals"): "content.prompt",
    ("metadata", "routing_decision", "matched_keyword"): "content.prompt",
    ("metadata", "routing_decision", "escalation_keyword"): "content.prompt",
    ("metadata", "routing_decision", "classifier_crux"): "content.prompt",
    ("guardrail_information", "guardrail_request"): "content.prompt",
    ("guardrail_information", "guardrail_response"): "content.output",
    ("guardrail_information", "match_details"): "content.prompt",
    ("guardrail_information", "classification"): "content.output",
}
DIAGNOSTICS: Mapping[_Path, str] = {
    ("error_str",): "error_str",
    ("error_information", "error_message"): "error_information.error_message",
    ("error_information", "traceback"): "error_information.traceback",
    ("response_cost_failure_debug_info",): "response_cost_failure_debug_info",
}
CONTEXT: Mapping[_Path, str] = {
    ("end_user",): "end_user",
    ("requester_ip_address",): "requester_ip_address",
    ("user_agent",): "user_agent",
    ("metadata", "requester_metadata"): "metadata",
    ("metadata", "requester_custom_headers"): "metadata",
    ("metadata", "spend_logs_metadata"): "metadata",
    ("hidden_params", "additional_headers"): "hidden_params",
    ("request_tags",): "request_tags",
}
# Other names that a record has; a name beyond these is examined by what it says.
_KNOWN = frozenset(
    "api_base autorouter_baseline_observation autorouter_savings autorouter_savings_estimate cache_hit cache_key "
    "call_type completionStartTime completion_tokens cost_breakdown custom_llm_provider endTime error_information "
    "guardrail_information hidden_params id litellm_call_id metadata model model_group model_id model_map_information "
    "model_parameters prompt_tokens request_model_access_groups request_tags response_cost response_time "
    "saved_cache_cost session_id standard_built_in_tools_params startTime status status_fields stream total_tokens "
    "trace_id zero_cost_diagnostic".split()
)  # fmt: skip
_SENTINELS = frozenset({"", "redacted-by-litellm", "__REDACTED__", "<REDACTED>"})
_NOTHING = frozenset({b"null", b"{}", b"[]", b"false", *(f'"{each}"'.encode() for each in _SENTINELS)})
_TEXTS = frozenset({b'"', b"{", b"["})  # A value that begins so may hold text.
_NAME_CHARS_MAX = 64  # Of an unknown name: the names of rules are shorter.
_REDACTED = frozenset({("messages",), ("response",)})  # LiteLLM leaves their frame.
_REDACTED_BYTES_MAX = 65_536  # A redacted answer is short.
# Members of a redacted message or answer that are no text; each is a short word or an id.
_WORDS = frozenset(
    "call_id finish_reason id inference_geo model name object role service_tier status stop_reason system_fingerprint "
    "tool_call_id type".split()
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z0-9._:/@+-]{0,128}")

_any = msgspec.json.Decoder()
_NAMES = _KNOWN | {path[0] for table in (CONTENT, DIAGNOSTICS, CONTEXT) for path in table}
_ANY_NAME = ""  # Of what is no object in the place of one: it may hold each member that one could have.


class Members:
    """The members of a record, each parsed when it is first asked for."""

    def __init__(self, record: Raw) -> None:
        """Read the names; raises what `members.of_object` raises."""
        self._objects: dict[_Path, list[dict[str, Raw]]] = {(): [members.of_object(record)]}

    def content(self) -> Iterator[tuple[str, str]]:
        """Yield rule and pointer of each place with content or a credential, which refuse the whole request."""
        for path, rule in CONTENT.items():
            found = [raw for raw in self._at(path) if _has_text(raw)]
            if found and not (path in _REDACTED and all(map(_is_redacted, found))):
                yield rule, "/" + "/".join(path)
        texts = {
            _start(raw, VALUE_BYTES_MAX): path for path in DIAGNOSTICS for raw in self._at(path) if _has_text(raw)
        }  # By text, because LiteLLM sends the message of an error twice.
        for text, path in texts.items():
            secret = rule_of_value(text.decode("utf-8", "replace"))
            if secret is not None:
                yield secret, "/" + "/".join(path)
        (record,) = self._objects[()]
        for name in record.keys() - _NAMES:
            rule_of_unknown = rule_of_name(name[:_NAME_CHARS_MAX])
            if rule_of_unknown is not None and _start(record[name], 1) in _TEXTS and _has_text(record[name]):
                yield rule_of_unknown, "/*"

    def diagnostics(self) -> list[str]:
        """Return the names of the free texts about an error that the record has, as docs/policy.md lists them."""
        return [name for path, name in DIAGNOSTICS.items() if any(map(_has_text, self._at(path)))]

    def context(self) -> list[str]:
        """Return the names of what the record says about people, machines and addresses."""
        return list(dict.fromkeys(name for path, name in CONTEXT.items() if any(map(_has_text, self._at(path)))))

    def _at(self, path: _Path) -> list[Raw]:
        """Return the values at a path, one for each object of a list on the way."""
        found = (each.get(path[-1], each.get(_ANY_NAME)) for each in self._objects_at(path[:-1]))
        return [raw for raw in found if raw is not None]

    def _objects_at(self, path: _Path) -> list[dict[str, Raw]]:
        if path not in self._objects:
            self._objects[path] = [each for raw in self._at(path) for each in _objects_of(raw)]
        return self._objects[path]


def _objects_of(raw: Raw) -> list[dict[str, Raw]]:
    try:
        if _start(raw, 1) == b"[":
            return members.of_list(raw)
        return [members.of_object(raw)] if _has_text(raw) else []
    except msgspec.MsgspecError:
        return [{_ANY_NAME: raw}]


def _start(raw: Raw, size: int) -> bytes:
    return memoryview(raw)[:size].tobytes()


def _has_text(raw: Raw) -> bool:
    return _start(raw, 32) not in _NOTHING


def _is_redacted(raw: Raw) -> bool:
    """Return whether a value has no string but sentinels, and short words in the places of ids and names."""
    return len(memoryview(raw)) <= _REDACTED_BYTES_MAX and _is_clean("", _any.decode(raw))


def _is_clean(name: str, value: object) -> bool:
    match value:
        case str():
            return value in _SENTINELS or (name in _WORDS and _WORD.fullmatch(value) is not None)
        case dict():
            return all(_is_clean(each, item) for each, item in value.items())
        case list():
            return all(map(partial(_is_clean, name), value))
    return True
