"""Attacks and their orders. A new one is a function and a row in `attacks.ATTACKS`."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.store import tokens
from schema.vocabulary import Mode
from tests.soak.child import Child, Desk
from tests.support.customers import EVERYTHING, CustomerSpec

# The tenants of a run. Each attack knows the tokens of all of them but `honest`.
TENANTS: Mapping[str, CustomerSpec] = {
    "honest": CustomerSpec(),
    "hostile": CustomerSpec(),
    "coarsening": CustomerSpec(EVERYTHING),
    "learning": CustomerSpec(dict.fromkeys(EVERYTHING, Mode.LEARN), scopes=tokens.SCOPES),
    "limited": CustomerSpec(quota=10),
}


@dataclass(frozen=True)
class Order:
    """An attack and its size: a number of units, and a minimum of seconds."""

    attack: str
    units: int
    seconds_min: float
    bind: str
    metrics_bind: str
    worker_pids: Sequence[int]
    tokens: Mapping[str, str]  # By tenant.
    connections: int  # Of an attack that is about connections.

    @property
    def token(self) -> str:
        return self.tokens["hostile"]


Strike = Callable[[Order, Desk, "Counter[str]"], Awaitable[None]]


class Attack(NamedTuple):
    """An attack; `units` is the size of a long run; its stored events are compared with a harmless `yardstick`'s."""

    strike: "Strike"
    units: int
    unit: str
    yardstick: str = ""


Striking = Child[Order, "Counter[str]"]
