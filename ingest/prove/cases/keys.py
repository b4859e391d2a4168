"""Credentials of every format, in every place."""

import base64
from collections.abc import Iterator

from ingest.prove.case import Case, refused
from ingest.prove.formats import FORMATS, key
from ingest.prove.kit import Kit
from ingest.prove.places import ALL
from ingest.prove.words import CREDENTIALS


def keys_everywhere(kit: Kit) -> Iterator[Case]:
    for name in FORMATS:
        for where, put in ALL.items():
            canary = kit.canary()
            yield refused(f"{name} {where}", canary, put(kit, key(name, canary)))


_DRESSES = ("api_key={}", "Authorization: Bearer {}", "gpt-4o-{}", "https://x.internal/?key={}", "{}-2026", "team/{}")


def dressed_keys(kit: Kit) -> Iterator[Case]:
    """Yield the same keys inside other text, under a credential's name, or encoded."""
    for place, name in enumerate(FORMATS):
        for dress in _DRESSES:
            canary = kit.canary()
            value = dress.format(key(name, canary))
            yield refused(f"{name} in {dress.format('…')}", canary, kit.body({"routed_model": value}))
        canary = kit.canary()
        field = CREDENTIALS[place % len(CREDENTIALS)]
        yield refused(f"{name} under {field}", canary, kit.body({field: key(name, canary)}))
        canary = kit.canary()
        encoded = base64.b64encode(key(name, canary).encode()).decode()
        yield refused(f"{name} in base64", canary, kit.body({"provider": f"{encoded}.{canary}"}))
        canary = kit.canary()
        turned = key(name, canary)[::-1]
        yield refused(f"{name} reversed", canary, kit.body({"requested_model": f"{turned}.{canary}"}))
