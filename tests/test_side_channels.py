"""Side channels for words: a bug's message, a library's log, a lost task, a core file, PostgreSQL's log."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from ingest.intake import openapi
from ingest.store import settings
from tests.support import breakage, cluster, customers, sample, service
from tests.support.breakage import Edit
from tests.support.cluster import Cluster
from tests.support.customers import CustomerSpec
from tests.support.service import Server

CANARY = "zq7canary"
_HANDLER = "        try:\n            return await self._intake.validation.entry(self._caller, batch, self._work)\n"
_BUGS = {
    "an error that quotes the body": "        raise ValueError(batch)\n",
    "an assertion that quotes the body": "        assert not batch, batch\n",
    "an error below another": (
        "        try:\n            raise KeyError(batch)\n        except KeyError as low:\n"
        "            raise RuntimeError(str(low)) from low\n"
    ),
    "a library that logs the body and a lost task": (
        "        import logging\n"
        "        logging.getLogger('library').error('got %s', batch, exc_info=ValueError(batch))\n"
        "        async def lose() -> None:\n            raise LookupError(batch)\n"
        "        asyncio.get_running_loop().create_task(lose())\n"
        "        await asyncio.sleep(0.01)\n        import gc\n        gc.collect()\n        raise ValueError(batch)\n"
    ),
}


@pytest.mark.parametrize("bug", _BUGS)
def test_a_bug_says_nothing_of_the_body(bug: str, postgres: Cluster, tmp_path: Path) -> None:
    dsn = postgres.migrated()
    token = customers.act(dsn, lambda connection: customers.add(connection, "side", CustomerSpec())).token
    broken = breakage.copy_broken(tmp_path / "checkout", Edit("ingest/intake/seat.py", _HANDLER, _BUGS[bug] + _HANDLER))
    with service.serving(dsn, tmp_path / "log", broken, workers=1) as server:
        sender = server.sender(token)
        answer = sender.post(sample.body(sample.event(provider=CANARY)))
        sender.close()
    assert (answer.status, answer.problem) == (500, "bug")
    log = (tmp_path / "log").read_text()
    assert CANARY not in log + answer.body.decode() + str(answer.headers)
    lines = [json.loads(line) for line in log.splitlines()]
    found = {(line["event"], line.get("error")) for line in lines if line["level"] == "error"}
    assert {event for event, _ in found} <= {"bug", "library"}
    if "lost task" in bug:
        assert found >= {("library", "ValueError"), ("bug", "LookupError"), ("bug", "ValueError")}


_UNCAUGHT = f"""
import sys, warnings
from ingest import logs
logs.capture()
warnings.warn("{CANARY}")
raise ValueError("{CANARY}")
"""


def test_a_warning_and_an_uncaught_exception_say_only_their_class() -> None:
    command = [sys.executable, "-c", _UNCAUGHT]
    ended = subprocess.run(command, env=service.environment(""), capture_output=True, check=False, timeout=30)
    assert CANARY not in ended.stderr.decode() + ended.stdout.decode()
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["library", "bug"]
    assert lines[1]["error"] == "ValueError"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process's limits as a file")
def test_no_process_of_the_service_may_write_a_core_file(server: Server) -> None:
    for pid in (server.process.pid, *server.workers()):
        (line,) = [line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in line]
        assert line.split()[4:6] == ["0", "0"], pid


_LEAKING = {
    "log_error_verbosity": "verbose",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "100",
    "log_min_error_statement": "error",
    "log_statement": "all",
}


@pytest.mark.parametrize("setting", _LEAKING)
async def test_a_setting_that_lets_values_into_the_log_is_named(setting: str, database: str) -> None:
    async with cluster.operator(database) as connection:
        assert await settings.leaks(connection) == []
        await connection.execute(f"SET {setting} = '{_LEAKING[setting]}'")
        assert await settings.leaks(connection) == [setting]


def test_strict_refuses_a_postgresql_whose_log_could_hold_values(database: str) -> None:
    name = database.partition("?")[0].rpartition("/")[2]
    cluster.run(database, f"ALTER DATABASE {name} SET log_statement = 'all'")
    cluster.run(database, f"ALTER DATABASE {name} SET log_error_verbosity = 'default'")
    ended = service.command("serve", "--strict", env=service.environment(database))
    assert ended.returncode == 2
    *lines, said = ended.stderr.decode().splitlines()
    assert "log_error_verbosity, log_statement" in said
    named = [json.loads(line) for line in lines]
    assert [line["setting"] for line in named if line["event"] == "setting-leaks"] == [
        "log_error_verbosity",
        "log_statement",
    ]


def test_the_openapi_document_has_no_examples_and_no_words_for_defaults() -> None:
    members = list(_members(json.loads(openapi.document())["components"]))
    assert {name for name, _ in members} & {"example", "examples"} == set()
    assert {type(value) for name, value in members if name == "default"} <= {int, bool, list, type(None)}
    assert all(not value for name, value in members if name == "default")


def _members(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, one in cast("dict[str, object]", value).items():
            yield name, one
            yield from _members(one)
    elif isinstance(value, list):
        for one in value:
            yield from _members(one)
