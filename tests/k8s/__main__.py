"""`python -m tests.k8s`: all checks of the manifests that need no cluster, one line each."""

# ruff: noqa: T201 (talks to a person at a terminal)

import argparse
import sys
import time
from collections.abc import Callable, Iterator

from tests.k8s import custom, image, network, pods, rollout, sources, tools
from tests.k8s.overlays import CannotBuild, Tree
from tests.support.service import ROOT

Check = Callable[[Tree], Iterator[str]]
CHECKS: dict[str, Check] = {
    "lint": tools.unlinted,
    "schemas": tools.invalid,
    "custom resources": custom.misspelt,
    "checkov": tools.careless,
    "users": pods.other_users,
    "memory": pods.unbounded,
    "service links": pods.linked,
    "secrets": pods.open_secrets,
    "settings": pods.unknown_settings,
    "logins": pods.inconsistent_logins,
    "gateway": pods.lasting,
    "receipts": pods.exposed_keys,
    "probes": rollout.wrong_probes,
    "grace": rollout.short_grace,
    "scaling": rollout.uneven,
    "ports": network.other_ports,
    "network": network.open_network,
    "monitors": network.unscraped,
    "database": sources.other_database,
    "generated files": sources.stale,
    "large ConfigMaps": sources.large_maps,
    "Containerfile": sources.loose_containerfile,
    "locks": sources.other_locks,
    "image": image.unfit,
}


def main() -> int:
    """Run the checks, and return 1 if any found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.k8s", description=__doc__)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"only these, of: {', '.join(CHECKS)}")
    args = parser.parse_args()
    tree = Tree(ROOT)
    if absent := tools.missing():
        print(f"not installed in .venv-k8s: {', '.join(absent)}; `make k8s-check` installs them", file=sys.stderr)
        return 2
    try:
        print(f"built: {', '.join(f'{name} ({len(objects)} objects)' for name, objects in tree.built.items())}")
    except CannotBuild as refused:
        print(f"failed  kustomize: {refused}")
        return 1
    failed = [name for name in args.checks or CHECKS if not _passes(tree, name)]
    print(*(f"to set before it is applied: {place}" for place in sources.left_to_set(tree)), sep="\n")
    print(f"failed: {', '.join(failed)}" if failed else "all of it holds")
    return int(bool(failed))


def _passes(tree: Tree, name: str) -> bool:
    began = time.monotonic()
    found = list(CHECKS[name](tree))
    print(
        f"{'failed' if found else 'ok':7} {name} ({time.monotonic() - began:.1f} s)",
        *found,
        sep="\n        ",
        flush=True,
    )
    return not found


if __name__ == "__main__":
    sys.exit(main())
