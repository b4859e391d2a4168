"""The attacks, each run by a process of low priority, because they share cores with what is measured."""

from collections import Counter
from collections.abc import Mapping

from tests.soak import attacks_bodies as bodies
from tests.soak import attacks_http as http
from tests.soak import attacks_logs as logs
from tests.soak import attacks_neighbours as neighbours
from tests.soak import payloads
from tests.soak.child import Child, Desk
from tests.soak.order import Attack, Order, Striking
from tests.soak.posting import posting, sending

NICENESS = 19
ASKING = 50  # Connections of a neighbour.

ATTACKS: Mapping[str, Attack] = {
    # Heads, tokens and bodies.
    "slow-headers": Attack(bodies.slow_headers, 45, "s"),  # Longer than the service lets a head take.
    "slow-bodies": Attack(bodies.slow_bodies, 30, "s"),
    "deep": Attack(posting(payloads.deep), 1_000, "body"),
    "bombs": Attack(posting(payloads.bombs), 500, "body"),
    "unknown-refused": Attack(posting(payloads.unknown_models), 300_000, "id"),
    "large-batches": Attack(posting(payloads.large_batches), 300_000, "event"),
    "unknown-coarsened": Attack(posting(payloads.unknown_models, "coarsening"), 300_000, "id", "large-batches"),
    "bad-tokens": Attack(sending(bodies.guesses), 300_000, "token"),
    "tiny-chunks": Attack(posting(payloads.tiny_chunks), 100, "body"),
    "padded-tags": Attack(posting(payloads.padded_tags), 100, "body"),
    # The log.
    "log-flood": Attack(logs.flood, 100_000, "request"),
    "log-reader-stuck": Attack(logs.reader_stuck, 100_000, "request"),
    "log-reader-gone": Attack(logs.reader_gone, 100_000, "request"),
    # Connections, frames and answers.
    "unread-answers": Attack(http.unread_answers, 25, "s"),  # Longer than an answer has to go out.
    "unread-policies": Attack(http.unread_policies, 15, "s"),
    "unread-probes": Attack(http.unread_probes, 15, "s"),
    "instantly-closed": Attack(http.instantly_closed, 20_000, "connection"),
    "h2-floods": Attack(http.h2_floods, 100, "MB"),
    "h2-upgrades": Attack(http.h2_upgrades, 5_000, "request"),
    "smuggled": Attack(http.smuggled, 5_000, "request"),
    "metrics-port": Attack(http.metrics_port, 12, "s"),
    "open-files": Attack(http.open_files, 12, "s"),
    # A neighbour with a good token.
    "refusals": Attack(posting(neighbours.refusals, connections=ASKING), 500, "body"),
    "new-terms": Attack(posting(neighbours.new_terms, "learning", ASKING), 2_000, "term"),
    "duplicates": Attack(posting(neighbours.duplicates, "limited", ASKING), 5_000, "batch"),
    "policies": Attack(sending(neighbours.policies, ASKING), 2_000, "policy"),
    "look-ups": Attack(sending(neighbours.look_ups, ASKING), 2_000, "stream"),
}


def start(order: Order) -> Striking:
    """Start the attack in a process of the lowest priority."""
    return Child(strike, order, NICENESS)


async def strike(order: Order, desk: Desk) -> "Counter[str]":
    """Run one attack, and count the responses by face."""
    answers: Counter[str] = Counter()
    await ATTACKS[order.attack].strike(order, desk, answers)
    return answers
