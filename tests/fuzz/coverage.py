"""`python -m tests.fuzz.coverage`: libFuzzer's coverage-guided search of the decoder and of the explain path.

Holds `decode` against the plain reading of the contract, and `explain` against its promise: it always names a rule,
with a pointer made of contract names. Needs the package atheris (`make fuzz-coverage` installs it); Linux only.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["schema", "ingest.intake.explain"]):
    from ingest.intake.explain import explain
    from schema.decode import Refused, Window, decode
    from schema.event import Batch, Event, Stream
    from schema.rules import RULES
    from schema.vocabulary import Mode

from tests.fuzz import bodies
from tests.fuzz.oracle import accepts
from tests.support.gauge import VOCABULARIES

_ALL_TIME = Window(0, 2**48 - 1)
_NAMES = "|".join((*Batch.__struct_fields__, *Event.__struct_fields__, *Stream.__struct_fields__))
_POINTER = re.compile(rf"(/({_NAMES}|[0-9]+|\*))*\Z")
_SEEDS = 400


def main() -> None:
    """Search until the time is over, and return libFuzzer's exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.coverage", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="to go on (default: 300)")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finds"), help="folder for bodies that found something")
    args = parser.parse_args()
    args.keep.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as seeds:
        chance = random.Random(time.time_ns())
        for number in range(_SEEDS):
            (Path(seeds) / f"{number}.json").write_bytes(bodies.make(chance).body)
        options = [f"-max_total_time={args.seconds}", "-max_len=8192", f"-artifact_prefix={args.keep}/", seeds]
        atheris.Setup([sys.argv[0], *options], _try)
        atheris.Fuzz()


_OURS = VOCABULARIES[Mode.REFUSE]


def _try(body: bytes) -> None:
    try:
        decode(body, _OURS, _ALL_TIME)
    except Refused:
        assert not accepts(body, _ALL_TIME), "the plain reading accepts it"
        for rule, pointer, _ in explain(body, _OURS, _ALL_TIME).violations:
            assert rule in RULES
            assert _POINTER.match(pointer), "a pointer with a name that is not ours"
    else:
        assert accepts(body, _ALL_TIME), "the plain reading refuses it"


if __name__ == "__main__":
    main()
