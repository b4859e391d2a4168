"""What becomes of events when a proxy forks, ends, or is killed, and when several share a spool."""

import signal
from pathlib import Path

import pytest

from tests.reporter.processes import python, run_python
from tests.reporter.reported import reporting
from tests.reporter.scripted import Scripted, problem
from tests.support.service import wait_until


def test_a_killed_process_loses_nothing_that_it_had_synced(script: Scripted, tmp_path: Path) -> None:
    script.script += [problem(503, "unavailable", Retry_After="60")]
    process = python(
        """
        reporter = Reporter(sys.argv[1], "nct_x", sys.argv[2])
        reported = [event() for _ in range(50)]
        for each in reported:
            reporter.report(each)
        assert reporter.sync(10)
        say(*(each.event_id for each in reported))
        time.sleep(60)
        """,
        script.url,
        tmp_path / "spool",
    )
    with process:
        assert process.stdout is not None
        reported = process.stdout.readline().split()
        wait_until(lambda: len(script.batches) == 1)
        process.send_signal(signal.SIGKILL)
    with reporting(script.url, tmp_path / "spool") as reporter:
        assert reporter.flush(10)
        assert reporter.stats().stored == 50
    first, second = script.batches
    assert first.body == second.body
    assert script.stored == reported


def test_an_idle_process_sends_what_another_has_left(
    script: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nocontent_reporter.sender.IDLE_S", 0.05)
    with reporting(script.url, tmp_path / "spool") as reporter:
        assert reporter.flush(5)
        run_python(
            """
            reporter = Reporter("http://127.0.0.1:9", "nct_x", sys.argv[1])
            reporter.report(event())
            assert reporter.sync(10)
            os._exit(0)
            """,
            tmp_path / "spool",
        )
        wait_until(lambda: len(script.stored) == 1)


def test_a_flush_sends_what_another_process_has_left(script: Scripted, tmp_path: Path) -> None:
    with reporting(script.url, tmp_path / "spool") as reporter:
        assert reporter.flush(5)
        run_python(
            """
            reporter = Reporter("http://127.0.0.1:9", "nct_x", sys.argv[1])
            reporter.report(event())
            assert reporter.sync(10)
            os._exit(0)
            """,
            tmp_path / "spool",
        )
        assert reporter.flush(10)
    assert len(script.stored) == 1


def test_a_process_that_ends_writes_what_it_has_to_the_spool(tmp_path: Path, script: Scripted) -> None:
    run_python(
        """
        reporter = Reporter("http://127.0.0.1:9", "nct_x", sys.argv[1], Options(interval_s=60))
        for _ in range(5):
            reporter.report(event())
        """,
        tmp_path / "spool",
    )
    with reporting(script.url, tmp_path / "spool") as reporter:
        assert reporter.flush(5)
    assert len(script.stored) == 5


def test_a_process_that_ends_without_a_spool_sends_what_it_has(script: Scripted) -> None:
    run_python(
        """
        reporter = Reporter(sys.argv[1], "nct_x", options=Options(interval_s=60))
        for _ in range(5):
            reporter.report(event())
        """,
        script.url,
    )
    assert len(script.stored) == 5


def test_forked_workers_report_once_each(script: Scripted, tmp_path: Path) -> None:
    """The master may report before it forks, as with gunicorn's --preload."""
    run_python(
        """
        reporter = Reporter(sys.argv[1], "nct_x", sys.argv[2], Options(interval_s=0.01))
        reporter.report(event())
        for _ in range(3):
            if os.fork() == 0:
                for _ in range(10):
                    reporter.report(event())
                sys.exit(0 if reporter.flush(20) and reporter.stats().reported == 10 else 1)
        for _ in range(3):
            assert os.wait()[1] == 0
        assert reporter.flush(20)
        """,
        script.url,
        tmp_path / "spool",
    )
    assert len(script.stored) == 31
    streams = [sent.stream for sent in script.batches]
    assert len({stream for stream, _ in streams}) == 1, "one spool, one stream"
    assert sorted(sequence for _, sequence in streams) == list(range(len(streams)))


def test_a_child_inherits_no_file_of_the_spool(script: Scripted, tmp_path: Path) -> None:
    """SQLite would take its parent's locks for its own, and wait for those of threads that it does not have."""
    run_python(
        """
        reporter = Reporter(sys.argv[1], "nct_x", sys.argv[2], Options(interval_s=0.001))
        for _ in range(20):
            reporter.report(event())
            time.sleep(0.002)
            child = os.fork()
            if child == 0:
                links = [os.path.realpath(f"/proc/self/fd/{file}") for file in os.listdir("/proc/self/fd")]
                os._exit(sum(link.startswith(sys.argv[2]) and not link.endswith("-lock") for link in links))
            assert os.waitpid(child, 0)[1] == 0
        assert reporter.flush(20)
        """,
        script.url,
        tmp_path / "spool",
    )
    assert len(script.stored) == 20


def test_a_child_of_a_fork_without_a_spool_sends_no_event_of_its_parent(script: Scripted) -> None:
    run_python(
        """
        reporter = Reporter(sys.argv[1], "nct_x", options=Options(interval_s=0.2))
        reporter.report(event())
        child = os.fork()
        if child == 0:
            reporter.report(event())
            sys.exit(not reporter.flush(20))
        assert os.waitpid(child, 0)[1] == 0
        assert reporter.flush(20)
        """,
        script.url,
    )
    assert len(script.stored) == 2
    assert sum(len(sent.ids) for sent in script.batches) == 2


def test_another_process_sends_what_a_dead_one_left(script: Scripted, tmp_path: Path) -> None:
    """The one whose turn it is holds a lock that ends with it; the other waits for the turn."""
    script.script += [problem(503, "unavailable", Retry_After="60")]
    process = python(
        """
        reporter = Reporter(sys.argv[1], "nct_x", sys.argv[2], Options(interval_s=0.01))
        reporter.report(event())
        time.sleep(60)
        """,
        script.url,
        tmp_path / "spool",
    )
    with process, reporting(script.url, tmp_path / "spool") as reporter:
        wait_until(lambda: len(script.batches) == 1)
        assert not reporter.flush(0.1)
        process.send_signal(signal.SIGKILL)
        assert reporter.flush(10)
    assert len(script.stored) == 1


def test_kills_lose_no_synced_event_and_double_none(script: Scripted, tmp_path: Path) -> None:
    """Each life reports, says what it has synced, and is killed at some moment after that."""
    synced: set[str] = set()
    for life in range(8):
        process = python(
            """
            reporter = Reporter(sys.argv[1], "nct_x", sys.argv[2], Options(interval_s=0.001))
            while True:
                reported = [event() for _ in range(7)]
                for each in reported:
                    reporter.report(each)
                if reporter.sync(10):
                    say(*(each.event_id for each in reported))
            """,
            script.url,
            tmp_path / "spool",
        )
        with process:
            assert process.stdout is not None
            for _ in range(2 + life):
                synced |= set(process.stdout.readline().split())
            process.send_signal(signal.SIGKILL)
            for line in process.stdout:
                synced |= set(line.split()) if line.endswith("\n") else set()
    with reporting(script.url, tmp_path / "spool") as reporter:
        assert reporter.flush(20)
    assert synced <= set(script.stored)
    assert len(script.stored) == len(set(script.stored))
