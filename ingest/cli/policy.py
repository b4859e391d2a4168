"""`policy`: print the rules and bounds of this version, and the bits that an event can hold."""

import argparse

from ingest.cli.arguments import Subparsers
from ingest.knowledge import capacity
from ingest.knowledge.contract import digest
from schema import limits
from schema.rules import RULES
from schema.vocabulary import GRAMMAR


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = "print the rules and bounds of this version; a tenant's own terms are in GET /v1/policy"
    command = commands.add_parser("policy", help=says, description=says)
    command.add_argument(
        "--capacity",
        action="store_true",
        help="print only the bits that one stored event and one batch can hold, by field",
    )
    command.set_defaults(run=_policy)


def _policy(args: argparse.Namespace) -> int:
    if not args.capacity:
        _print_rules()
    held = capacity.of_event()
    for field, bits in held:
        print(f"{field:40} {bits:8.1f}")
    print(f"{'one stored event, in bits':40} {capacity.total(held):8.1f}   (bound: {limits.EVENT_BITS_MAX})\n")
    held = capacity.of_batch()
    for field, bits in held:
        print(f"{field:40} {bits:8.1f}")
    print(f"{'the ledger of one batch, in bits':40} {capacity.total(held):8.1f}   (bound: {limits.BATCH_BITS_MAX})")
    return 0


def _print_rules() -> None:
    print(f"digest {digest()}\n")
    for name, value in sorted(vars(limits).items()):
        if name.isupper():
            print(f"{name.lower():40} {value:>20,}")
    print()
    for kind, pattern in GRAMMAR.items():
        print(f"{kind.name.lower():40} {pattern}")
    print()
    for rule in RULES.values():
        print(f"{rule.id:40} {rule.says}")
    print()
