"""Names and values that look like others."""

from collections.abc import Iterator

from ingest.prove.case import Case, refused, refused_beside
from ingest.prove.cases.places import OBJECTS
from ingest.prove.kit import Kit
from ingest.prove.lookalikes import LOOKALIKES
from ingest.prove.places import TERMS
from ingest.prove.words import CONTENT, CREDENTIALS, SENTENCES

_WHERE = ("in an event", "in the tags", "beside the events")
_EVERY = 3  # One name in three: 28 to 42 of each kind of look-alike.


def lookalike_names(kit: Kit) -> Iterator[Case]:
    """Yield names of content that a list of names would miss."""
    names = (*CONTENT, *CREDENTIALS)
    for place, (look, alter) in enumerate(LOOKALIKES.items()):
        for name in names[place % _EVERY :: _EVERY]:
            altered = alter(name)
            if altered in kit.policy.fields or altered in kit.policy.tags:
                continue
            where = _WHERE[place % len(_WHERE)]
            canary = kit.canary()
            body = OBJECTS[where](kit, {altered: SENTENCES[place % len(SENTENCES)].format(canary)})
            yield refused(f"{name}, {look}, {where}", canary, body)


def lookalike_fields(kit: Kit) -> Iterator[Case]:
    """Yield names that look like the contract's, beside them and instead of them."""
    for look, alter in LOOKALIKES.items():
        for field in kit.policy.fields:
            altered = alter(field)
            if altered in kit.policy.fields:
                continue
            canary = kit.canary()
            yield refused(f"{field}, {look}, beside it", canary, kit.body({altered: canary}))
            canary = kit.canary()
            event = {altered if name == field else name: value for name, value in kit.event().items()}
            yield refused(f"{field}, {look}, for it", canary, kit.batch([{**event, altered: canary}]))


def lookalike_values(kit: Kit) -> Iterator[Case]:
    """Yield terms that look like registered ones; the canary is in a header."""
    for look, alter in LOOKALIKES.items():
        for field in TERMS:
            term = str(kit.event()[field])
            if kit.is_known(field, alter(term)):
                continue
            yield refused_beside(f"{field}, {look}", kit.canary(), kit.body({field: alter(term)}))
