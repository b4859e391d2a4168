"""Fixtures for the tests of the reporter."""

from collections.abc import Iterator

import pytest

from tests.reporter.scripted import Scripted, scripted


@pytest.fixture
def script() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the jitter out, so that a retry comes at once; what the server asks for is still waited for."""
    monkeypatch.setattr("nocontent_reporter.answers.RETRY_S_MAX", 0.0)
    monkeypatch.setattr("nocontent_reporter.answers.SLOW_S_MIN", 0.01)
    monkeypatch.setattr("nocontent_reporter.answers.SLOW_S_MAX", 0.02)
    monkeypatch.setattr("nocontent_reporter.policy.POLL_S", 0.02)
    monkeypatch.setattr("nocontent_reporter.policy.SETTLE_S", 0.01)
