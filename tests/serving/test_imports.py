"""Modules of other processes import neither the database driver nor numpy."""

import json
import subprocess
import sys

import pytest

from tests.support.service import ROOT, environment

_LOADED = "import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"


def loaded(module: str) -> set[str]:
    """Import a module in a new process, and return the packages that it imported."""
    command = [sys.executable, "-c", _LOADED.format(module=module)]
    ended = subprocess.run(command, cwd=ROOT, env=environment(""), capture_output=True, check=True, timeout=30)
    names: list[str] = json.loads(ended.stdout)
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("module", ["ingest.serving.supervisor", "ingest.serving.boundary", "ingest.intake.policy"])
def test_it_loads_neither_asyncpg_nor_numpy(module: str) -> None:
    assert {"asyncpg", "numpy"} & loaded(module) == set()


def test_a_module_that_needs_them_is_seen_to_load_them() -> None:
    assert {"asyncpg", "numpy"} <= loaded("ingest.store.batches")
