"""Every place where a host could hand content to a reporter by mistake: each makes what is handed over of a text."""

from collections import UserDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import SimpleNamespace

from nocontent_reporter import Event, stop_reasons, usage
from tests.support import litellm

_GOOD: Mapping[str, object] = {
    "task_category": "summarization", "provider": "anthropic", "requested_model": "claude-opus-4-5",
    "routed_model": "claude-haiku-4-5", "input_tokens": 1, "output_tokens": 1, "latency_ms": 1,
}  # fmt: skip
Make = Callable[[str], object]


def event(**changed: object) -> Event:
    """Return a good event with fields changed, to whatever type."""
    return Event(**{**_GOOD, **changed})  # type: ignore[arg-type]  # Wrong types are the point.


def prose(word: str) -> str:
    """Return what a person may have written: it is no term."""
    return f"Please summarize the letter of {word} to her doctor"


class Message:
    """What an SDK returns: attributes with text, and text as its representation."""

    def __init__(self, text: str) -> None:
        self.content = self.value = text

    def __str__(self) -> str:
        return str(self.content)

    __repr__ = __str__


class Number(int):
    """A number that carries a text, as subclasses may."""

    text = ""


class Raising(UserDict[str, object]):
    """A record that cannot be read, and says so with its content."""

    def get(self, key: str, default: object = None) -> object:
        raise ValueError(key, default, self.data)


class Imitation:
    """An object that says it is an event, as a mock does."""

    def __init__(self, text: str) -> None:
        self.content = self.provider = text

    __class__ = Event  # type: ignore[assignment]  # As unittest.mock sets it.


@dataclass(frozen=True, kw_only=True)
class Extended(Event):
    """An event with a field that is the host's."""

    prompt: str


def number(text: str) -> Number:
    made = Number(1)
    made.text = text
    return made


_WRONG: Mapping[str, Make] = {
    "a text": str,
    "a dict": lambda text: {"content": text, text: 1},
    "a list": lambda text: [{"role": "user", "content": text}],
    "an object": Message,
    "bytes": str.encode,
}
_TAGS: Mapping[str, Make] = {
    "a key": lambda text: ((text, "search"),),
    "a value": lambda text: (("team", text),),
    "both": lambda text: ((text, text),),
    "a value of a credential's key": lambda text: (("api-key", text.split()[5]),),
    "a value of content's key": lambda text: (("prompt", text.split()[5]),),
    "a third part": lambda text: (("team", "search", text),),
    "text alone": lambda text: (text,),
    "text for a tuple": lambda text: ("team", text),
    "a list of pairs": lambda text: [("team", text)],
    "a value's object": lambda text: (("team", Message(text)),),
    "five tags": lambda text: tuple((f"key-{place}", text) for place in range(5)),
}
_WHOLE: Mapping[str, Make] = {
    "a dict": lambda text: {**_GOOD, "messages": [{"content": text}]},
    "a text": str,
    "bytes": str.encode,
    "an object": Message,
    "an imitation": Imitation,
    "an extended event": lambda text: Extended(**_GOOD, prompt=text),  # type: ignore[arg-type]  # As above.
    "an exception": ValueError,
}
REFUSED: Mapping[str, Make] = {
    **{
        f"{field.name} as {kind}": lambda text, name=field.name, wrong=wrong: event(**{name: wrong(text)})  # type: ignore[misc]  # A lambda's default has no type.
        for field in fields(Event)
        for kind, wrong in _WRONG.items()
    },
    **{f"{kind} in tags": lambda text, tags=tags: event(tags=tags(text)) for kind, tags in _TAGS.items()},  # type: ignore[misc]  # As above.
    **{f"{kind} for an event": make for kind, make in _WHOLE.items()},
    "a credential for a model": lambda text: event(routed_model=f"sk-ant-api03-{text.split()[5]}"),
}


def _objects(found: object) -> object:
    """Return dicts as objects with attributes, as SDKs return them."""
    if isinstance(found, Mapping):
        return SimpleNamespace(**{name: _objects(value) for name, value in found.items()})
    return found


def _usage(text: str) -> dict[str, object]:
    """Return the usage of all three providers in one, with text in members that are not read, and in some that are."""
    inner = {"cached_tokens": 1, "note": text, "text": {"content": text}}
    return {
        "input_tokens": 7, "output_tokens": 2, "prompt_tokens": 7, "completion_tokens": 2, "prompt_token_count": 7,
        "candidates_token_count": 2, "cache_read_input_tokens": text, "cachedContentTokenCount": text,
        "total_tokens": Message(text), "service_tier": text, "iterations": [{"type": text}], "messages": text,
        "prompt_tokens_details": inner, "input_tokens_details": inner, "cache_creation": {"note": text},
        "server_tool_use": {"query": text}, "promptTokensDetails": [text], "traffic_type": Message(text),
        "output_tokens_details": text, "completion_tokens_details": [text],
    }  # fmt: skip


STORED: Mapping[str, Make] = {
    **{
        f"{read.__name__}'s usage as {kind}": lambda text, read=read, shape=shape: event(**read(shape(text)).tokens)  # type: ignore[misc]  # As above.
        for read in (usage.anthropic, usage.openai, usage.gemini)
        for kind, shape in {"a dict": _usage, "an object": lambda text: _objects(_usage(text)), "text": str}.items()
    },
    **{
        f"{read.__name__}'s stop reason as {kind}": lambda text, read=read, wrong=wrong: event(  # type: ignore[misc]  # As above.
            stop_reason=read(wrong(text))
        )
        for read in (stop_reasons.anthropic, stop_reasons.openai, stop_reasons.gemini)
        for kind, wrong in _WRONG.items()
    },
    "a number that carries text": lambda text: event(input_tokens=number(text)),
}


def _answer(text: str) -> dict[str, object]:
    return {"id": text, "choices": [{"finish_reason": text, "message": {"role": "assistant", "content": text}}]}


def _record(text: str, **changed: object) -> litellm.Record:
    """Return LiteLLM's record of a call as it is when nothing turns content off."""
    return litellm.record(**{
        "messages": [{"role": "user", "content": text}], "response": _answer(text), "end_user": text,
        "model_parameters": {"stop": [text], "tools": [{"name": text}]}, "requester_ip_address": text,
        "request_tags": [f"User-Agent: {text}", f"{text}:search", f"note={text}", text], "api_base": text,
        "error_information": {"error_class": text, "error_message": text, "traceback": text},
        "error_str": text, "user_agent": text,
        "metadata": {
            **litellm.METADATA, "requester_metadata": {"note": text}, "user_api_key_alias": text, "prompt": text,
            "routing_decision": {"request_type": text, "tier_label": text, "matched_keyword": text},
        },
        "hidden_params": {"api_base": text, "additional_headers": {"x-litellm-attempted-retries": text, "x": text}},
        "response_cost_failure_debug_info": {"error_str": text}, **changed,
    })  # fmt: skip


RECORDS: Mapping[str, Make] = {
    "a record": _record,
    "a record of a failure": lambda text: _record(text, status="failure", error_information={"error_code": text}),
    "a record's ids": lambda text: _record(text, id=text, litellm_call_id=text),
}
BAD_RECORDS: Mapping[str, Make] = {
    "a record's provider": lambda text: _record(text, custom_llm_provider=text),
    "a record's model": lambda text: _record(text, model=text),
    "a record's model group": lambda text: _record(text, model_group=text),
    "a record's tag": lambda text: _record(text, request_tags=[f"team:{text}"]),
}
UNREADABLE: Mapping[str, Make] = {
    "a record without ids": lambda text: _record(text, id=None, litellm_call_id=None),
    "a record's start": lambda text: _record(text, startTime=text),
    "text for a record": str,
    "a record that raises": lambda text: Raising({"content": text}),
    "an object for a record": Message,
}
PASSWORD = "the URL's password"
OTHERS = ("the callback's exception", "a bad token", "a bad URL", PASSWORD)
PLACES = (*REFUSED, *STORED, *RECORDS, *BAD_RECORDS, *UNREADABLE, *OTHERS)


def call(record: object, text: str) -> tuple[dict[str, object], object]:
    """Return what LiteLLM passes to a logger: the arguments of the call, with the record among them, and its answer."""
    return {"standard_logging_object": record, "messages": [{"content": text}], "input": text}, _answer(text)
