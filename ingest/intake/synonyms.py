"""Maps the names that providers and gateways use for outcomes to the contract's words.

`POST /v1/events` explains refusals by them, and never translates; the doors of other formats translate.

Names are as `rules.normalised` returns them: without case and separators. docs/policy.md shows them as they are sent.
"""

from collections.abc import Mapping
from typing import get_args

from schema.event import Status, StopReason, Word
from schema.rules import normalised

STATUSES: Mapping[str, frozenset[str]] = {
    "ok": frozenset("success successful succeeded complete completed done finished passed incomplete statuscodeok statusok unset".split()),
    "error": frozenset("fail failed failure errored exception statuscodeerror statuserror internalerror servererror internalservererror apierror badrequest invalidrequest invalidrequesterror unknownerror overloaded overloadederror".split()),
    "timeout": frozenset("timedout timeouterror requesttimeout gatewaytimeout deadlineexceeded apitimeouterror".split()),
    "rate_limited": frozenset("ratelimit ratelimiterror ratelimitexceeded throttled throttling throttlingexception throttlingerror toomanyrequests resourceexhausted quotaexceeded insufficientquota".split()),
    "cancelled": frozenset("canceled cancel aborted abort interrupted clientclosedrequest clientdisconnected disconnected".split()),
    "refused": frozenset("refusal blocked contentfilter contentfiltered moderated moderation safety guardrailintervened denied rejected".split()),
}  # fmt: skip
STOP_REASONS: Mapping[str, frozenset[str]] = {
    "end_turn": frozenset("stop eos eostoken eot endofturn endoftext complete completed finish finished normal done success stoppedeos".split()),
    "max_tokens": frozenset("length maxlength maxoutputtokens maxcompletiontokens maxnewtokens tokenlimit lengthcapped limit stoppedlimit maxoutput".split()),
    "stop_sequence": frozenset("stopsequences stopword stopcriteriamet stopcriteria word stoppedword".split()),
    "tool_use": frozenset("toolcalls toolcall functioncall functioncalls tooluses".split()),
    "content_filter": frozenset("contentfiltered safety recitation blocklist prohibitedcontent spii imagesafety imageprohibitedcontent imagerecitation modelarmor guardrailintervened refusal refused errortoxic sensitive moderation blocked".split()),
    "pause_turn": frozenset("pause paused pauseturns".split()),
    "context_window": frozenset("modellength modelcontextwindowexceeded contextwindowexceeded contextlengthexceeded contextlength errorlimit maxcontext maxcontextlength".split()),
    "other": frozenset("error abort aborted cancelled canceled cancel usercancel timeout timelimit language malformedfunctioncall malformedresponse malformedmodeloutput malformedtooluse malformedtoolcall unexpectedtoolcall toomanytoolcalls noimage imageother missingthoughtsignature insufficientsystemresource networkerror repetition load unload ragquerywhenragdisabled".split()),
    "null": frozenset("finishreasonunspecified unspecified unknown notfinished inprogress".split()),
}  # fmt: skip
_NOTHING = {"", "null", "none", "nil", "na", "undefined", "nan"}

_STATUS: Mapping[str, Word] = {normalised(word): word for word in get_args(Status)} | {
    name: word for word in get_args(Status) for name in STATUSES[word]
}
_STOP: Mapping[str, Word] = {normalised(word): word for word in get_args(StopReason)} | {
    name: word for word in (*get_args(StopReason), "null") for name in STOP_REASONS[word]
}


def is_nothing(value: str) -> bool:
    """Return whether a string is one that some languages write for no value."""
    return normalised(value) in _NOTHING


def status(value: str) -> Status | None:
    """Return the contract's status that a well-known name of a failure stands for; None for any other string."""
    found = _STATUS.get(normalised(value))
    return next((word for word in get_args(Status) if word == found and word != "ok"), None)


def stop_reason(value: str) -> StopReason | None:
    """Return the contract's stop reason for a name; `other` for one that is not well known, None for no reason."""
    found = _STOP.get(normalised(value), "other")
    return next((word for word in get_args(StopReason) if word == found), None)


def word_for(field: str, value: str) -> Word | None:
    """Return the contract's word for a well-known value of a field; None for others, and for the word itself."""
    words = {"status": _STATUS, "stop_reason": _STOP}.get(field, {})
    found = words.get(normalised(value))
    return None if found == value else found
