"""The front: from threads and asyncio, before and after it is closed, whatever the server does with its time."""

import asyncio
import contextlib
import signal
import socket
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from nocontent_reporter import Options, Reporter
from tests.reporter.reported import QUICK, event, reporting
from tests.reporter.scripted import Scripted, html, problem, scripted
from tests.support.certificates import Authority
from tests.support.service import ROOT, wait_until


def test_many_threads_report_each_event_once(script: Scripted, tmp_path: Path) -> None:
    reported: list[str] = []

    def work() -> None:
        for _ in range(200):
            made = event()
            reported.append(made.event_id)
            reporter.report(made)

    with reporting(script.url, tmp_path / "spool") as reporter:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert reporter.flush(20)
        assert reporter.stats().reported == reporter.stats().stored == 1_600
    assert sorted(script.stored) == sorted(reported)


async def test_asyncio_tasks_report_without_waiting(script: Scripted) -> None:
    with reporting(script.url) as reporter:

        async def work() -> None:
            for _ in range(50):
                reporter.report(event())
                await asyncio.sleep(0)

        await asyncio.gather(*(work() for _ in range(4)))
        assert await asyncio.to_thread(reporter.flush, 5)
    assert len(script.stored) == 200


def test_a_signal_handler_may_report(script: Scripted) -> None:
    with reporting(script.url) as reporter:
        before = signal.signal(signal.SIGALRM, lambda *_: reporter.report(event()))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        ends_at = time.monotonic() + 0.2
        while time.monotonic() < ends_at:
            reporter.report(event())
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        assert reporter.flush(20)
        assert reporter.stats().reported == len(script.stored)


def test_a_full_buffer_drops_the_oldest_and_reports_how_many(script: Scripted) -> None:
    options = Options(interval_s=0.3, buffer_events=10)
    reported = [event() for _ in range(25)]
    with reporting(script.url, options=options) as reporter:
        for each in reported:
            reporter.report(each)
        assert reporter.flush(5)
        assert reporter.stats().dropped == {"queue_full": 15}
    assert script.stored == [each.event_id for each in reported[15:]]
    assert script.dropped == {"queue_full": 15}


def test_events_come_in_batches(script: Scripted) -> None:
    with reporting(script.url, options=Options(interval_s=0.3, batch_events=10)) as reporter:
        for _ in range(9):
            reporter.report(event())
        time.sleep(0.1)
        assert script.batches == []
        reporter.report(event())
        wait_until(lambda: len(script.stored) == 10)
    assert len(script.batches) == 1


def test_nothing_runs_before_the_first_event(script: Scripted, tmp_path: Path) -> None:
    before = threading.active_count()
    reporter = Reporter(script.url, "nct_x", tmp_path / "spool", QUICK)
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
    assert reporter.stats().reported == 0
    reporter.close()


def test_a_closed_reporter_counts_what_it_is_handed(script: Scripted) -> None:
    with reporting(script.url) as reporter:
        reporter.report(event())
    reporter.report(event())
    reporter.close()
    assert not reporter.flush(1)
    assert not reporter.sync(1)
    assert len(script.stored) == 1
    assert reporter.stats().dropped == {"shutdown": 1}


def test_close_does_not_wait_for_a_server_that_asked_for_time(script: Scripted, tmp_path: Path) -> None:
    script.script.append(problem(503, "unavailable", Retry_After="60"))
    reporter = Reporter(script.url, "nct_x", tmp_path / "spool", QUICK)
    reporter.report(event())
    wait_until(lambda: reporter.stats().requests.get("unavailable", 0) > 0)
    began = time.monotonic()
    reporter.close(20)
    assert time.monotonic() - began < 10
    with reporting(script.url, tmp_path / "spool") as again:
        assert again.flush(5)
    assert len(script.stored) == 1


@contextlib.contextmanager
def silent(trickle: bytes = b"") -> Iterator[str]:
    """Yield the URL of a server that reads requests and never finishes an answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        is_over = threading.Event()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listening.accept()
                    threading.Thread(target=dribble, args=(peer,), daemon=True).start()

        def dribble(peer: socket.socket) -> None:
            with contextlib.suppress(OSError), peer:
                while not is_over.wait(0.02):
                    peer.sendall(trickle)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        is_over.set()
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("trickle", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"x", b"HTTP/1.1 200 OK\r\nA: b\r\n"])
def test_a_server_that_hangs_is_given_up(trickle: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nocontent_reporter.connection.ANSWER_S", 0.2)
    with silent(trickle) as url, reporting(url, options=QUICK) as reporter:
        reporter.report(event())
        wait_until(lambda: reporter.stats().requests.get("unreachable", 0) >= 2)
        assert reporter.stats().waiting == 1
        began = time.monotonic()
        reporter.close(0.5)
        assert time.monotonic() - began < 5


def test_close_ends_in_time_though_the_server_hangs(tmp_path: Path) -> None:
    with silent() as url:
        reporter = Reporter(url, "nct_x", tmp_path / "spool", QUICK)
        reporter.report(event())
        assert reporter.sync(5)
        began = time.monotonic()
        reporter.close(0.2)
        assert time.monotonic() - began < 5


def test_a_server_with_an_unknown_certificate_gets_nothing(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("server", "127.0.0.1")
    with scripted(pair) as script:
        with reporting(script.url, options=QUICK) as reporter:
            reporter.report(event())
            wait_until(lambda: reporter.stats().requests.get("untrusted", 0) > 0)
            reporter.close(0)
        assert script.sent == []
        with reporting(script.url, options=Options(interval_s=0.01, trust=pair.trusted())) as reporter:
            reporter.report(event())
            assert reporter.flush(5)
        assert len(script.stored) == 1


@pytest.mark.parametrize(
    "url",
    [
        "telemetry.example", "ftp://telemetry.example", "https://", "https://h/?a=b", "https://h/#x", "https://h:x",
        "https://user:secret@h",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_one_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        Reporter(url, "nct_x")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "caf\u00e9", ""])
def test_a_token_that_cannot_be_one_is_refused_at_once(token: str) -> None:
    with pytest.raises(ValueError, match="token") as refused:
        Reporter("https://telemetry.example", token)
    assert not token or token not in str(refused.value)


def test_requests_say_who_sends_and_no_more(script: Scripted) -> None:
    with reporting(f"{script.url}/base/", token="nct_secret") as reporter:
        reporter.report(event())
        assert reporter.flush(5)
    (sent,) = script.batches
    assert sent.path == "/base/v1/events"
    assert set(sent.headers) == {
        "Accept-Encoding", "Authorization", "Content-Encoding", "Content-Length", "Content-Type", "Host", "User-Agent",
    }  # fmt: skip
    assert sent.headers["Authorization"] == "Bearer nct_secret"
    version = tomllib.loads((ROOT / "reporter" / "pyproject.toml").read_text())["project"]["version"]
    assert sent.headers["User-Agent"] == f"nocontent-reporter/{version}"


def test_the_log_names_faults_and_no_values(script: Scripted, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "CANARY").touch()
    refusal = problem(422, "rejected", ("time.too-old", "/columns/event_id/0"))
    script.script += [problem(401, "revoked-token"), html(404), refusal]
    with reporting(script.url, tmp_path / "CANARY" / "spool", token="nct_CANARY") as reporter:
        reporter.report(event(provider="CANARY of a prompt"))
        reporter.report(event())
        assert reporter.flush(5)
    assert {record.getMessage() for record in caplog.records} == {
        f"{name} (1 times)" for name in ("spool-unavailable", "revoked-token", "answer-404")
    }
    assert "CANARY" not in caplog.text


def test_what_the_host_has_lost_is_reported_as_dropped(script: Scripted) -> None:
    with reporting(script.url) as reporter:
        reporter.lost(3)
        reporter.lost(2, "queue_full")
        assert reporter.flush(20)
        assert reporter.stats().dropped == {"shutdown": 3, "queue_full": 2}
    assert script.dropped == {"shutdown": 3, "queue_full": 2}
    assert script.stored == []


def test_nothing_wrong_that_a_host_says_it_lost_is_raised_or_counted(script: Scripted) -> None:
    with reporting(script.url) as reporter:
        for events in (-1, 0, None, "secret", float("nan")):
            reporter.lost(events)  # type: ignore[arg-type]  # A host's mistake.
        reporter.lost(1, "secret")  # type: ignore[arg-type]  # The same.
        assert reporter.flush(20)
    assert script.dropped == {"shutdown": 1}


def test_what_is_at_risk_is_what_a_kill_would_lose(script: Scripted, tmp_path: Path) -> None:
    script.script.extend([problem(503, "unavailable", Retry_After="60")] * 2)
    with reporting(script.url) as memory, reporting(script.url, tmp_path / "spool") as spooled:
        assert memory.at_risk() == spooled.at_risk() == 0
        for reporter in (memory, spooled):
            reporter.report(event())
            reporter.lost(2)
            assert reporter.at_risk() == 3
        assert spooled.sync(20)
        assert spooled.at_risk() == 0
        assert not memory.flush(0.2)
        assert memory.at_risk() == 3
