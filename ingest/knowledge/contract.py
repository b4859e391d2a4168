"""The part that the policies of all tenants share: contract, bounds, grammar, rules and spellings, and their digest."""

import hashlib
from functools import cache

import msgspec

from schema import composition, limits
from schema.event import TERMS_MAX, Batch, Kind
from schema.rules import RULES
from schema.vocabulary import GRAMMAR

BOUNDS = {name.lower(): value for name, value in vars(limits).items() if name.isupper()}


@cache
def digest() -> str:
    """Return the SHA-256 of what every tenant's policy shares: contract, bounds, grammar, rules and spellings."""
    schemas = msgspec.json.schema_components([Batch], ref_template="{name}")
    grammar = {kind.name: pattern for kind, pattern in GRAMMAR.items()}
    sizes = {kind.name: size for kind, size in TERMS_MAX.items()}
    rules = [(rule.id, rule.pattern and rule.pattern.pattern, sorted(rule.names)) for rule in RULES.values()]
    whole = (schemas, BOUNDS, grammar, sizes, rules, spellings())
    return hashlib.sha256(msgspec.json.encode(whole, order="deterministic")).hexdigest()


@cache
def spellings() -> dict[str, list[str]]:
    """Return the closed lists and patterns by which an id is read as a term."""
    named = {kind: composition.aliases(kind) for kind in (Kind.TASK_CATEGORY, Kind.PROVIDER)}
    return {
        "before": sorted(composition.heads()),
        "before_patterns": [composition.ARN.pattern, composition.HEADS.pattern],
        "behind": sorted(composition.tails()),
        "behind_patterns": [composition.TAILS.pattern],
        **{f"{kind.name.lower()}_names": sorted(f"{a} {b}" for a, b in names.items()) for kind, names in named.items()},
    }
