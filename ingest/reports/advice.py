"""Advice about refusals: what each cause means, and what whoever runs the proxy should do. Never a value."""

from typing import NamedTuple

from ingest.store.traffic import OTHER, PROBLEMS, Door
from schema.rules import RULES

DOORS: dict[Door, str] = {
    "events": "POST /v1/events",
    "litellm": "LiteLLM",
    "cloudevents": "CloudEvents",
    "otlp-traces": "OTLP traces",
    "otlp-logs": "OTLP logs",
}


class Advice(NamedTuple):
    """The words for a cause, and on what to do about the proxy; `page` is one of the console that helps."""

    says: str
    do: str
    page: str | None = None


# By the beginning of a rule's id; the first that fits counts.
_OF_RULES = (
    (
        "content.diagnostics",
        (
            "The records carry the text of errors, which often quotes prompts. Turn such text off in the proxy, or "
            "have an operator permit that it is dropped unread: nocontent tenant diagnostics."
        ),
    ),
    (
        "content.unknown-key",
        "The proxy sends an attribute with text that no mapping knows. Leave it out of its export.",
    ),
    (
        "content.",
        (
            "The proxy sends what a person or a model wrote. None of it was stored. Turn off its logging of messages, "
            "and send the contract's fields alone."
        ),
    ),
    (
        "secret.",
        (
            "A credential is in what the proxy sends. It was not stored, but it has left its place: revoke it where it "
            "was issued, then remove it from the proxy's records."
        ),
    ),
    (
        "vocabulary.budget",
        (
            "Traffic has registered as many new terms as it may. Register those that you need, and look for a field "
            "that has a new value for each request."
        ),
    ),
    (
        "vocabulary.unknown-",
        (
            "The name is not registered. Register it if it is one of yours; if not, correct it in the proxy. A tenant "
            "can also store unknown names as `unknown`."
        ),
    ),
    (
        "vocabulary.undeclared-",
        "Tags are opt-in. Declare the key if you want it stored; if not, remove the tag from the proxy.",
    ),
    (
        "vocabulary.",
        (
            "What the proxy sends as a name does not look like one. Send a short name of a model, team or project, and "
            "register that."
        ),
    ),
    (
        "shape.malformed",
        "The body is cut or in another format. Check what the proxy sends, and what changes it on its way.",
    ),
    (
        "shape.",
        (
            "The proxy does not follow the contract. Update its reporter; to find the place in a body of your own "
            "code, run: nocontent check FILE"
        ),
    ),
    ("time.too-old", "The events are older than they are kept for. Send them sooner; drop what is left of them."),
    ("time.", "The proxy's clock is ahead. Have it follow a time server."),
    ("size.", "The batches are larger than the contract allows. Send smaller ones, as our reporter does by itself."),
)
_OF_PROBLEMS = {
    "scope-missing": Advice(
        "The token may not write events.", "Give the proxy a token with the scope events:write.", "tokens"
    ),
    "revoked-token": Advice(
        "The token was revoked.", "A proxy still has it: give it another one, or end it.", "tokens"
    ),
    "expired-token": Advice("The token has expired.", "Issue another one for the proxy.", "tokens"),
    "tenant-disabled": Advice("The organisation was disabled.", "Ask the operator of this service why."),
    "media-type-unsupported": Advice(
        "The body has a Content-Type that the path does not read.", "Set the proxy to JSON, or the path to its format."
    ),
    "encoding-unsupported": Advice(
        "The body has another compression than gzip and zstd, or two.", "Set the proxy to gzip, zstd or none."
    ),
    "bad-encoding": Advice(
        "The body does not match its Content-Encoding.", "Check what changes bodies between the proxy and here."
    ),
    "wire-too-large": Advice("The body has more bytes than its path reads.", "Send fewer events at once."),
    "body-too-large": Advice("The body has too many bytes once decompressed.", "Send fewer events at once."),
    "slow-body": Advice("The body did not arrive in time.", "Check the network, or send fewer events at once."),
    "batch-over-quota": Advice(
        "A batch has more events than your quota of a minute.", "Send smaller batches, or ask for a higher quota."
    ),
    "quota-exceeded": Advice(
        "Your quota of a minute was used up.", "Reporters send later by themselves. If this lasts, ask for more."
    ),
    "quota-spent": Advice(
        "Your quota of a minute was used up.", "Clients send later by themselves. If this lasts, ask for more."
    ),
    "sequence-reused": Advice(
        "A stream's number was used for other events before.",
        "Two proxies share a stream, or one was restored from a copy: let each begin a stream of its own.",
    ),
    "unstorable": Advice(
        "The database refused a value that the contract allows.", "Tell the operator: this is a bug of ours."
    ),
    OTHER: Advice("There were more causes than are counted one by one.", "Fix the others first."),
}
assert _OF_PROBLEMS.keys() == {*PROBLEMS, OTHER}


def of(cause: str) -> Advice | None:
    """Return the advice about a cause, or None if there is no such cause."""
    rule = RULES.get(cause)
    if rule is None:
        return _OF_PROBLEMS.get(cause)
    do = next(says for start, says in _OF_RULES if cause.startswith(start))
    return Advice(rule.says, do, "vocabulary" if cause.startswith("vocabulary.") else None)
