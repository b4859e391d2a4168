"""`python -m tests.soak events|overload|hostile`: more and worse load, for longer, than a service should meet."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from tests.soak import events, hostile, overload
from tests.soak.attacks import ATTACKS


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of them, and return 0 if nothing was found."""
    args = _parse(argv)
    finds: list[str] = asyncio.run(args.run(args))
    for find in finds:
        print(f"FOUND {find}")
    return int(bool(finds))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    commands = parser.add_subparsers(required=True)
    soak = commands.add_parser("events", help="fresh events through one process, whose memory must not grow")
    soak.add_argument("--events", type=int, default=10_000_000, help="to send (default: 10000000)")
    soak.set_defaults(run=lambda args: events.run(args.events))

    load = commands.add_parser("overload", help="more than it can take, a database that is away, a greedy tenant")
    parts = list(overload.PARTS)
    load.add_argument("--parts", nargs="+", choices=parts, default=parts, metavar="PART", help=", ".join(parts))
    load.add_argument("--seconds", type=float, default=60, help="of each (default: 60)")
    load.set_defaults(run=lambda args: overload.run(args.parts, args.seconds))

    worst = commands.add_parser("hostile", help="honest senders beside hostile ones")
    names = list(ATTACKS)
    worst.add_argument("--attacks", nargs="+", choices=names, default=names, metavar="ATTACK", help=", ".join(names))
    worst.add_argument("--scale", type=float, default=1.0, help="of the attacks' sizes (default: 1)")
    worst.add_argument("--quiet", type=float, default=40, help="seconds without an attack, to compare (default: 40)")
    worst.set_defaults(run=lambda args: hostile.run(args.attacks, args.scale, args.quiet))
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
