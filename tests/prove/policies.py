"""A policy as a server returns it, made without a server."""

from ingest.knowledge.contract import spellings
from ingest.prove.kit import Kit, Policy
from schema import limits
from schema.event import DROP_REASONS, Event, Kind
from schema.rules import RULES
from schema.vocabulary import shipped_terms
from tests.support import customers

NOW_MS = 1_700_000_000_000


def policy(mode: str = "refuse") -> Policy:
    kinds = (Kind.TASK_CATEGORY, Kind.PROVIDER, Kind.MODEL)
    return Policy(
        digest="0" * 64,
        retention_days=30,
        fields=list(Event.__struct_fields__),
        drop_reasons=list(DROP_REASONS),
        bounds={name.lower(): value for name, value in vars(limits).items() if name.isupper()},
        rules={rule.id: rule.says for rule in RULES.values()},
        modes={kind.name.lower(): mode for kind in kinds},
        terms={kind.name.lower(): ["unknown", *shipped_terms(kind)] for kind in kinds},
        tags={key: [*values, "unknown"] for key, values in customers.TAGS.items()},
        spellings=spellings(),
    )


def kit(secret: bytes = b"one", seed: int = 1) -> Kit:
    made = Kit(policy(), secret, seed, NOW_MS)
    made.add_learner(policy("learn"))
    return made
