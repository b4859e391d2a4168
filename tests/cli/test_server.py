"""`serve` as a container starts it: repeatedly with the same process id, on its predecessor's leftovers."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.support import service
from tests.support.cluster import Cluster
from tests.support.service import wait_until

# `exec` keeps the shell's process id.
_AS_ONE_BEFORE = 'mkdir "$TMPDIR/nocontent-metrics-$$-left" && exec "$0" -m ingest serve'


def test_what_a_killed_process_of_the_same_id_has_left_is_removed(postgres: Cluster, tmp_path: Path) -> None:
    """In a container every start is process 1, and its /tmp goes on: it would fill, start by start."""
    log = tmp_path / "log"
    bind, metrics_bind = (f"127.0.0.1:{port}" for port in service.free_ports(2))
    settings = {"workers": 1, "drain_s": 0, "bind": bind, "metrics_bind": metrics_bind}
    env = service.environment(postgres.migrated(), **settings) | {"TMPDIR": str(tmp_path)}
    with log.open("wb") as lines:
        command = ["/bin/sh", "-c", _AS_ONE_BEFORE, sys.executable]
        process = subprocess.Popen(command, env=env, stdout=lines, stderr=lines)
    wait_until(lambda: process.poll() is not None or '"starting"' in log.read_text(), log.read_text)
    there = [folder.name.rpartition("-")[2] for folder in tmp_path.glob("nocontent-metrics-*")]
    process.send_signal(signal.SIGTERM)
    assert process.wait(service.WAIT_S) == 0
    assert len(there) == 1
    assert there != ["left"]
