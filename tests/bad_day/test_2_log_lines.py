"""The rate and content of log lines, and the ways in which text could leave a process."""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import logs
from ingest.logs import sink
from tests.support import service
from tests.support.pipes import full_pipe
from tests.support.service import ROOT, wait_until

CANARY = "zq7canary"


_FLOOD = """
import itertools, sys, time
from ingest import logs
from schema.rules import RULES
rules = list(RULES)
ends_at = time.monotonic() + 3.5
mixed = ["info"] if sys.argv[1] == "refusals" else ["bug", "library", "database-lost", "flush-failed", "refused"]
for number in itertools.count():
    event = "refused" if sys.argv[1] == "refusals" else mixed[number % len(mixed)]
    logs.error(
        event, request_id="0" * 36, problem="media-type-unsupported", error=f"Error{number % 5_000}" + "e" * 500,
        rules=[rules[(number >> shift) % len(rules)] for shift in range(5)], place="p" * 500, logger="l" * 500,
    )
    if time.monotonic() > ends_at:
        break
print(number + 1)
"""


@pytest.mark.parametrize(
    ("mix", "lines_max"), [("refusals", logs.REFUSALS_A_SECOND_MAX), ("all", logs.LINES_A_SECOND_MAX)]
)
def test_no_mix_of_kinds_writes_more_than_the_bound(mix: str, lines_max: int) -> None:
    ended = _python(_FLOOD, mix)
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert int(ended.stdout) == sum(int(line.get("suppressed", 1)) for line in lines)
    assert int(ended.stdout) > 10_000
    # Three and a half seconds touch at most five seconds of the clock.
    assert lines_max <= logs.LINES_A_SECOND_MAX
    assert len(lines) <= 5 * lines_max
    assert len(ended.stderr) <= 5 * lines_max * sink.LINE_BYTES_MAX


def test_the_published_bound_is_the_one_in_force() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    (said,) = re.findall(r"at most ([0-9,]+) lines and ([0-9,]+) bytes a\s+second", text)
    assert said == (f"{logs.LINES_A_SECOND_MAX:,}", f"{logs.BYTES_A_SECOND_MAX:,}")


_AS_MANY = """
import sys
from ingest import logs
for number in range(20_000):
    logs.say(f"line {number}")
print(sum(logs.lost().values()), flush=True)
sys.stdin.read()
logs.say("after")
"""


def test_what_does_not_fit_is_counted_and_told_when_the_reader_reads_again() -> None:
    with full_pipe() as (read, write):
        process = subprocess.Popen(
            [sys.executable, "-c", _AS_MANY], env=service.environment(""), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=write,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdout as said:
            lost = int(said.readline())
        assert lost >= 20_000 - sink.LINES_MAX
        with _read(read) as seen:
            wait_until(lambda: b'"lines-lost"' in bytes(seen))
            process.stdin.close()
            assert process.wait(10) == 0
            wait_until(lambda: b"after" in bytes(seen))
        text = bytes(seen).decode()
    (told,) = [json.loads(line) for line in text.splitlines() if "lines-lost" in line]
    assert told["count"] == lost
    assert text.count("line ") == 20_000 - lost


_GROWS = """
import resource, sys, time
from ingest import logs
resource.setrlimit(resource.RLIMIT_FSIZE, (980, resource.RLIM_INFINITY))
for number in range(50):
    logs.say("x" * 90)
logs.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
logs.info("started")
logs.flush()
print(logs.lost()["disk_full"])
"""


def test_a_line_that_is_cut_by_a_full_disk_does_not_spoil_the_next(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as into:
        ended = subprocess.run(
            [sys.executable, "-c", _GROWS], env=service.environment(""), stderr=into, stdout=subprocess.PIPE,
            timeout=30, check=True,
        )  # fmt: skip
    *whole, cut, told, started = log.read_text().splitlines()
    assert set(whole) == {"x" * 90}
    assert 0 < len(cut) < 90
    assert [json.loads(told)["event"], json.loads(started)["event"]] == ["lines-lost", "started"]
    assert json.loads(told)["count"] == int(ended.stdout) == 50 - len(whole)


_WORDS = {
    "a print": "print('CANARY', 'CANARY')",
    "a print to stderr": "print('CANARY', file=sys.stderr)",
    "a traceback of an exception": "import traceback; traceback.print_exception(ValueError('CANARY'))",
    "a warning": "import warnings; warnings.warn('CANARY')",
    "a logger": "logging.getLogger('x').error('CANARY')",
    "a logger without a way to the root": "x = logging.getLogger('x'); x.propagate = False; x.error('CANARY')",
    "a logger whose words do not fit": "logging.getLogger('x').error('%d', 'CANARY')",
    "a logger whose name is no text": "logging.getLogger(chr(0xdc80)).error('CANARY')",
    "an exception": "raise ValueError('CANARY')",
    "an exception with its cause": """
try: raise KeyError('CANARY')
except KeyError as cause: raise ValueError(cause) from cause
""",
    "a group of exceptions": "raise ExceptionGroup('CANARY', [ValueError('CANARY')])",
    "a thread": "t = threading.Thread(target=int, args=('CANARY',), name='CANARY'); t.start(); t.join()",
    "a finalizer": """
class X:
    def __del__(self): raise ValueError('CANARY')
x = X()
del x
""",
    "a generator that will not end": """
def words():
    try: yield
    finally: raise ValueError('CANARY')
x = words()
next(x)
del x
""",
    "a handler that fails": """
import io
handler = logging.StreamHandler(io.TextIOWrapper(open('/dev/full', 'wb', buffering=0), write_through=True))
logging.getLogger('x').addHandler(handler)
logging.getLogger('x').error('CANARY')
""",
    "a task that is lost": """
import asyncio
async def fail(): raise ValueError('CANARY')
async def main():
    asyncio.create_task(fail(), name='CANARY')
    await asyncio.sleep(0.01)
asyncio.run(main())
""",
    "a task that is lost on uvloop": """
import asyncio, uvloop
async def fail(): raise ValueError('CANARY')
async def main():
    asyncio.create_task(fail(), name='CANARY')
    await asyncio.sleep(0.01)
uvloop.run(main())
""",
    "a callback on uvloop": """
import asyncio, uvloop
async def main():
    asyncio.get_running_loop().call_soon(lambda: int('CANARY'))
    await asyncio.sleep(0.01)
uvloop.run(main())
""",
    "a loop in debug mode": """
import asyncio, time
async def CANARY(): time.sleep(0.2)
asyncio.run(CANARY(), debug=True)
""",
    "a coroutine that nobody awaits": "async def CANARY(): pass\nCANARY()",
    "an executor": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as pool:
    pool.submit(int, 'CANARY').add_done_callback(lambda _: int('CANARY'))
""",
    "a worker": "with logs.Guard():\n    raise ValueError('CANARY')",
    "faulthandler": "import faulthandler\ndef f(x): faulthandler.dump_traceback()\nf('CANARY')",
    "a traceback as a library prints it": """
import traceback
try: int('CANARY')
except ValueError: traceback.print_exc()
""",
}
_SEALED = """
import logging, sys, threading
from ingest import logs
from ingest.logs import stdio
stdio.hold_open(); logs.capture(); stdio.tolerate(); stdio.seal()
exec(sys.stdin.read())
"""


@pytest.mark.parametrize("way", _WORDS)
def test_no_words_leave_a_server_by(way: str) -> None:
    ended = _python(_SEALED, stdin=_WORDS[way].replace("CANARY", CANARY))
    assert CANARY not in ended.stdout + ended.stderr
    assert ended.stdout == ""
    if way != "faulthandler":  # It prints files and lines in its own format.
        assert {json.loads(line)["event"] for line in ended.stderr.splitlines()} <= {"bug", "library"}
        assert ended.stderr


def test_a_line_is_made_of_whatever_it_is_given() -> None:
    ended = _python("from ingest import logs\nlogs.error('bug', error='x' * 9_999, count=1 << 70, place='\\udc80')")
    assert json.loads(ended.stderr)["event"] == "bug"


_FORKS = """
import os, threading
from ingest import logs
logs.say("before")
logs.flush()
for _ in range(20):
    if os.fork() == 0:
        logs.info("started")
        logs.flush()
        os._exit(0)
    os.wait()
print(sum(logs.lost().values()))
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_writes_its_own_lines() -> None:
    ended = _python(_FORKS)
    assert ended.stderr.count('"started"') == 20
    assert ended.stdout == "0\n"


_FINALIZERS = """
import gc
from ingest import logs

class Loop:
    def __init__(self):
        self.own = self
    def __del__(self):
        logs.warning("library", logger="finalizer")

gc.set_threshold(1, 1, 1)
for number in range(3_000):
    Loop()
    logs.error("bug", error=f"E{number}")
print("through")
"""


def test_a_finalizer_may_log_while_a_line_is_made() -> None:
    ended = _python(_FINALIZERS)
    assert ended.stdout == "through\n"
    assert {json.loads(line)["event"] for line in ended.stderr.splitlines()} >= {"bug", "library"}


def _python(script: str, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], env=service.environment(""), input=stdin, capture_output=True,
        text=True, timeout=30, check=False,
    )  # fmt: skip


@contextlib.contextmanager
def _read(pipe: int) -> Iterator[bytearray]:
    """Read a pipe to its end."""
    seen = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):
            while part := os.read(pipe, 65_536):
                seen.extend(part)

    threading.Thread(target=read, daemon=True).start()
    yield seen
