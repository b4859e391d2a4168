"""`python -m tests.observe.install`: find Prometheus and promtool, or install them.

On Debian and Ubuntu the distribution's package is fetched by apt, which checks its signature, and unpacked into
`.observe/`: nothing is installed, and nobody has to be root.
"""

# ruff: noqa: T201 (talks to a person at a terminal)

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.service import ROOT

FOLDER = ROOT / ".observe"
SAYS = (
    "no prometheus and promtool: `python -m tests.observe.install` gets them on Debian and Ubuntu;"
    " elsewhere put them on PATH, or name their folder by PROMETHEUS=/path"
)
_UNPACKED = FOLDER / "prometheus"
_PROGRAMS = ("prometheus", "promtool")
_WAIT_S = 300.0
_REASON_CHARS_MAX = 200


class Programs(NamedTuple):
    """The paths of both programs."""

    prometheus: Path
    promtool: Path


class CannotGet(Exception):
    """The programs cannot be had here; the message says why."""


def found() -> Programs | None:
    """Find both in the folder that PROMETHEUS names, on PATH, or where `get` puts them."""
    own = os.environ.get("PROMETHEUS")
    path = own or os.pathsep.join([os.environ.get("PATH", os.defpath), str(_UNPACKED / "usr/bin")])
    places = [shutil.which(name, path=path) for name in _PROGRAMS]
    return Programs(*(Path(place) for place in places if place)) if all(places) else None


def get() -> Programs:
    """Find them, or unpack the distribution's package; raises CannotGet."""
    if programs := found():
        return programs
    if missing := [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]:
        raise CannotGet(f"no {missing[0]} here")
    shutil.rmtree(FOLDER / "apt", ignore_errors=True)
    downloads = FOLDER / "apt/downloads"
    downloads.mkdir(parents=True)
    try:
        _run(["apt-get", "download", "prometheus"], downloads)
    except CannotGet:
        own = _own_lists()  # The machine has no lists, and only root could fetch them for it.
        _run(["apt-get", *own, "update"], downloads)
        _run(["apt-get", *own, "download", "prometheus"], downloads)
    (package,) = downloads.glob("prometheus_*.deb")
    _run(["dpkg-deb", "-x", str(package), str(_UNPACKED)], downloads)
    shutil.rmtree(FOLDER / "apt")
    programs = found()
    if programs is None:
        raise CannotGet("the package does not have both programs")
    return programs


def _own_lists() -> list[str]:
    """Return options that keep apt's lists in our folder; its trusted keys stay the machine's."""
    state = FOLDER / "apt/state"
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True)
    places = {"Dir::State::Lists": state / "lists", "Dir::Cache": state / "cache"}
    return [option for name, place in places.items() for option in ("-o", f"{name}={place}")]


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace", timeout=_WAIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise CannotGet(f"{command[0]} took longer than {_WAIT_S:.0f} s") from None
    if ended.returncode != 0:
        last = (ended.stderr.strip() or "it said nothing").splitlines()[-1]
        raise CannotGet(f"{command[0]} failed: {last[:_REASON_CHARS_MAX]}")


def main(argv: Sequence[str] | None = None) -> int:
    """Print where they are, or return 1 if they cannot be had."""
    argparse.ArgumentParser(prog="python -m tests.observe.install", description=__doc__).parse_args(argv)
    try:
        programs = get()
    except CannotGet as reason:
        print(f"{reason}.\n{SAYS}.", file=sys.stderr)
        return 1
    print("\n".join(map(str, programs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
