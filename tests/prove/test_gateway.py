"""The proof of a gateway passes on ours, and notices what should not be."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.gateway.confine import landlock
from ingest.prove import summary
from ingest.prove.gateway import attempts, place, proof, tracing
from ingest.prove.gateway.place import Place
from ingest.prove.run import Run
from ingest.prove.search import SearchResult

pytestmark = pytest.mark.skipif(landlock.abi() < landlock.ABI_NET, reason="This kernel has no Landlock for networks.")


@pytest.fixture(scope="module")
def where() -> Iterator[Place]:
    with place.place() as made:
        yield made


@pytest.fixture(scope="module")
def proved() -> tuple[Run, list[SearchResult], list[str]]:
    """Return a proof with a sample of the passages."""
    return proof.prove(0, 16, lambda _total: lambda _count: None)


def test_our_gateway_keeps_nothing(proved: tuple[Run, list[SearchResult], list[str]]) -> None:
    run, searched, _lines = proved
    whole = summary.summed(run, searched, "here")
    assert (whole.verdict, whole.policy_faults, whole.faults) == (summary.PASS, [], [])
    assert {"events", "logs", "files", "metrics", "memory"} <= {place.place for place in whole.places}
    assert all(place.bytes for place in whole.places)


def test_content_did_pass_and_was_in_memory(proved: tuple[Run, list[SearchResult], list[str]]) -> None:
    """A search that finds nothing anywhere could be one that cannot find."""
    _run, searched, lines = proved
    memory = next(each for each in searched if each.place == "memory")
    assert memory.finds or memory.unread
    assert any(line.startswith("provider") and " 0 canaries" not in line for line in lines)


def test_a_gateway_elsewhere_refuses_what_it_should(where: Place) -> None:
    with place.gateway(where):
        run = proof.prove_remote(where.address, where.service.token, 0, 30, lambda _total: lambda _count: None)
    assert {outcome.fault for outcome in run.outcomes} == {""}
    assert {outcome.planned.family for outcome in run.outcomes} >= {"success", "refused"}


def test_what_a_confined_process_may_not_do_others_may(where: Place) -> None:
    confined = attempts.attempts(where.environment, where.folder)
    assert (confined.possible, confined.dumps) == ([], False)
    free = attempts.attempts(where.environment, where.folder, "free")
    assert "write to the working directory" in free.possible
    assert {"start a process", "make memory that lasts", "accept connections"} <= set(free.possible)


@pytest.mark.parametrize("layer", ["landlock-fs", "landlock-net", "seccomp"])
def test_a_layer_that_is_left_out_is_noticed(where: Place, layer: str) -> None:
    left = where.environment | {"NOCONTENT_GATEWAY_CONFINE_WITHOUT": layer}
    assert attempts.attempts(left, where.folder).possible


_TRACE = """\
101 sendto(12<TCP:[127.0.0.1:1->127.0.0.1:2]>, ""..., 10, 0, NULL, 0) = 10
101 write(9<anon_inode:[eventfd]>, ""..., 8) = 8
101 write(2</var/log/gateway.log>, ""..., 80) = 80
101 openat(AT_FDCWD</>, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 7</etc/hosts>
101 openat(AT_FDCWD</>, "/tmp/x", O_WRONLY|O_CREAT, 0600) = -1 EACCES (Permission denied)
"""


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", ""),
        ('101 write(7</tmp/x>, ""..., 10) = 10', "write to a file"),
        ('101 openat(AT_FDCWD</>, "/tmp/x", O_WRONLY|O_CREAT, 0600) = 7</tmp/x>', "openat that could write"),
        ('101 memfd_create("x", 0) = 7', "memfd_create that could write"),
        ('101 execve("/bin/sh", 0x0, 0x0) = -1 EPERM', "execve"),
    ],
)
def test_a_trace_is_read(tmp_path: Path, line: str, fault: str) -> None:
    (tmp_path / "trace").write_text(_TRACE + line + "\n")
    found = tracing.read(tmp_path / "trace")
    assert [each.split(",")[0] for each in found.faults] == ([fault] if fault else [])
    assert (found.seen["sendto to socket"], found.seen["openat, refused"]) == (1, 1)


_WRITER = "import sys, tempfile; sys.stdin.read(1); open(tempfile.mkstemp()[1], 'w').write('x')"


def test_strace_sees_a_process_that_writes(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _WRITER]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env={"TMPDIR": folder})
        with process, tracing.traced(process.pid, tmp_path / "trace") as traces:
            process.communicate(b"x", timeout=60)
    if traces[0].why_not:
        pytest.skip(traces[0].why_not)
    assert any(fault.startswith("write to a file") for fault in traces[0].faults)
