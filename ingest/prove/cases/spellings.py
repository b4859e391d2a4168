"""Content in every part of a model id that is a spelling of a term; and such ids without content, to be accepted."""

from collections.abc import Iterator

from ingest.prove.case import Case, Expected, Request, refused
from ingest.prove.kit import Kit

_FIELDS = ("requested_model", "routed_model")
_MARKS = "-/:.@_"
# Prefixes and suffixes of an id; a term stands between them.
_AROUND = (
    ("openrouter anthropic", "thinking free"),
    ("bedrock us-gov-west-1 1-month-commitment anthropic", "20310203 v1 0"),
    ("accounts fireworks models", "fp8 latest"),
    ("models", "preview 05 20"),
    ("hf co bartowski", "gguf q4 k m"),
    ("ft", "2031 02 03"),
)
_ARN = "arn:aws:bedrock:{region}:{account}:{kind}/{model}"
_CLEAN_ARN = {"region": "us-east-1", "account": "481516234210", "kind": "inference-profile", "model": "us.{}"}


def dressed_spellings(kit: Kit) -> Iterator[Case]:
    term = _term(kit)
    for before, behind in _AROUND:
        parts = [*before.split(), term, *behind.split()]
        for place in range(len(parts) + 1):
            for mark in _MARKS:
                for field in _FIELDS:
                    canary = kit.canary()
                    spelling = mark.join([*parts[:place], canary, *parts[place:]])
                    what = f"{before} … {behind}, place {place}, {mark}, {field}"
                    yield refused(what, canary, kit.body({field: spelling}))
        for place, part in enumerate(parts):
            canary = kit.canary()
            joined = "-".join([*parts[:place], part + canary, *parts[place + 1 :]])
            yield refused(f"{before} … {behind}, joined to part {place}", canary, kit.body({"routed_model": joined}))
    for name in _CLEAN_ARN:
        for field in _FIELDS:
            canary = kit.canary()
            arn = _ARN.format(**{**_CLEAN_ARN, name: canary}).replace("{}", term)
            yield refused(f"an ARN with a strange {name}, {field}", canary, kit.body({field: arn}))


def accepted_spellings(kit: Kit) -> Iterator[Case]:
    if not kit.policy.spellings:
        return
    term = _term(kit)
    spellings = [mark.join([*before.split(), term, *behind.split()]) for before, behind in _AROUND for mark in _MARKS]
    for spelling in (*spellings, term.upper(), _ARN.format(**_CLEAN_ARN).replace("{}", term)):
        body = kit.body(dict.fromkeys(_FIELDS, spelling))
        yield Case(f"spelling {spelling}", kit.canary(), Request(body), Expected.ACCEPTED)


def _term(kit: Kit) -> str:
    """Return a term of the policy without prefixes or suffixes."""
    return "claude-opus-4-5" if "claude-opus-4-5" in kit.policy.terms["model"] else kit.policy.terms["model"][0]
