"""Installs the peers' dependencies on demand into their own folders, or reports why it cannot."""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from bench.child import ROOT
from bench.scenario import System

CACHE = ROOT / ".bench"
PEERS_VENV = ROOT / ".venv-bench"
PHOENIX_VENV = CACHE / "phoenix"
NODE = CACHE / "node"
INSTALL_WAIT_S = 900.0
_HERE = Path(__file__).parent
_NODE_FILES = ("package.json", "package-lock.json", "server.js")
_REASON_CHARS_MAX = 200


class CannotInstall(Exception):
    """A peer cannot be installed here; the message says why."""


def ensure(systems: Iterable[System]) -> dict[System, str]:
    """Install the dependencies of these systems, and return reasons for those that failed."""
    why: dict[System, str] = {}
    for system in systems:
        try:
            _ensure(system)
        except CannotInstall as reason:
            why[system] = str(reason)
    return why


def peers() -> None:
    """Create the environment of the Python peers and of the plots."""
    _venv(PEERS_VENV, _HERE / "requirements-peers.lock")


def _ensure(system: System) -> None:
    if system in {"fastapi_sqlalchemy", "fastapi_copy"}:
        peers()
    elif system == "phoenix":
        _venv(PHOENIX_VENV, _HERE / "requirements-phoenix.lock")
    elif system == "node_unnest":
        _node()


def _venv(folder: Path, lock: Path) -> None:
    if _is_current(folder, [lock]):
        return
    print(f"installing {lock.name} into {folder.relative_to(ROOT)} …", file=sys.stderr)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(lock)])
    _mark(folder, [lock])


def _node() -> None:
    files = [_HERE / "peers/node" / name for name in _NODE_FILES]
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise CannotInstall(f"no {program} on this machine")
    if _is_current(NODE, files):
        return
    print(f"installing fastify and pg into {NODE.relative_to(ROOT)} …", file=sys.stderr)
    shutil.rmtree(NODE, ignore_errors=True)
    NODE.mkdir(parents=True)
    for file in files:
        shutil.copy(file, NODE)
    _run(["npm", "ci", "--prefix", str(NODE), "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
    _mark(NODE, files)


def _is_current(folder: Path, files: Sequence[Path]) -> bool:
    mark = folder / ".installed"
    return mark.exists() and mark.read_text("ascii") == _digest(files)


def _mark(folder: Path, files: Sequence[Path]) -> None:
    (folder / ".installed").write_text(_digest(files), "ascii")


def _digest(files: Sequence[Path]) -> str:
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _run(command: Sequence[str]) -> None:
    try:
        ended = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=INSTALL_WAIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise CannotInstall(f"{Path(command[0]).name} took longer than {INSTALL_WAIT_S:.0f} s") from None
    if ended.returncode != 0:
        last = (ended.stderr.strip() or ended.stdout.strip() or "it said nothing").splitlines()[-1]
        raise CannotInstall(f"{Path(command[0]).name} failed: {last[:_REASON_CHARS_MAX]}")


if __name__ == "__main__":
    peers()
