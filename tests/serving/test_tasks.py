"""Errors that end a worker's task, and errors that do not."""

import asyncio
import json

import pytest
from prometheus_client import REGISTRY

from ingest.serving import tasks


def restarts(task: str) -> float:
    return REGISTRY.get_sample_value("ingest_task_restarts_total", {"task": task}) or 0.0


@pytest.mark.parametrize("passing", [OSError(24, "words"), TimeoutError("words"), MemoryError("words")])
async def test_what_may_pass_begins_a_task_anew(
    passing: Exception, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(tasks, "RESTART_DELAY_S", 0.0)
    left, before = [passing, passing], restarts("balance")

    async def work() -> None:
        if left:
            raise left.pop()

    await tasks.run_with_restarts("balance", work)
    assert restarts("balance") - before == 2
    lines = [json.loads(line) for line in capfdbinary.readouterr().err.splitlines()]
    # Of many lines in one second some are only counted.
    assert {(line["event"], line.get("task"), line.get("error")) for line in lines} <= {
        ("task-restarted", "balance", type(passing).__name__)
    }
    assert "words" not in str(lines)


@pytest.mark.parametrize("bug", [AssertionError, KeyError, RuntimeError])
async def test_a_bug_ends_a_task(bug: type[Exception]) -> None:
    async def work() -> None:
        raise bug

    with pytest.raises(bug):
        await tasks.run_with_restarts("balance", work)


async def test_a_task_is_cancelled_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RESTART_DELAY_S", 60.0)

    async def work() -> None:
        raise TimeoutError

    kept = asyncio.create_task(tasks.run_with_restarts("balance", work))
    await asyncio.sleep(0)
    kept.cancel()
    with pytest.raises(asyncio.CancelledError):
        await kept
