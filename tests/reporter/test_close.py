"""A reporter that was closed while it waited for an answer, and the next one in the same process."""

import socket
from pathlib import Path

from nocontent_reporter import Reporter
from tests.reporter.reported import QUICK, event, reporting
from tests.reporter.scripted import Scripted


def test_a_spool_is_free_when_the_last_request_of_a_closed_reporter_has_ended(script: Scripted, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        first = Reporter(f"http://127.0.0.1:{silent.getsockname()[1]}", "nct_test", spool, QUICK)
        first.report(event())
        connection, _ = silent.accept()
        first.close(0)
        with reporting(script.url, spool) as second:
            second.report(event())
            assert not second.flush(0.2)  # The first one's request may still be answered.
            connection.close()
            assert second.flush(20)
    assert len(script.stored) == 2
