"""The family `erasure` erases words for real, and fails if one is found afterwards or was not found before."""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.cli import prove
from ingest.errors import CannotStart
from ingest.prove import erasable, erasure
from ingest.prove.client import address
from ingest.prove.erasable import Erasable
from ingest.prove.erasure import Erased
from ingest.prove.kit import Kit
from tests.prove.policies import policy
from tests.support import service
from tests.support.cluster import Cluster
from tests.support.service import Server

_LEFT = "found after its erasure in "
_UNSTORED = "status 422 for a good batch; not found in the database, where it should be"


@pytest.fixture(scope="module")
def prepared(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, list[Erasable]]]:
    """Yield a service of two tenants with words, which it knows from its start."""
    dsn = postgres.migrated()
    folders = [tmp_path_factory.mktemp("erasable") for _ in range(2)]
    tenants = [asyncio.run(erasable.prepare(dsn, folder)) for folder in folders]
    with service.serving(dsn, tmp_path_factory.mktemp("serve") / "log", workers=1) as server:
        yield server, tenants
    postgres.drop(dsn)


def _prove(server: Server, wanted: Erasable, *logs: Path) -> tuple[Erased, dict[str, str]]:
    kit = Kit(policy(), b"of this test", 1, time.time_ns() // 1_000_000)
    erased = asyncio.run(erasure.prove(wanted, address(f"http://{server.bind}"), kit, logs))
    return erased, {outcome.planned.case.canary: outcome.fault for outcome in erased.outcomes}


def test_words_are_erased_and_one_that_a_log_keeps_is_found(
    prepared: tuple[Server, list[Erasable]], tmp_path: Path
) -> None:
    server, (wanted, _) = prepared
    log = tmp_path / "serve.log"
    log.write_text(f"a line about {wanted.words.name}\n")
    erased, faults = _prove(server, wanted, server.log, log)
    name = faults.pop(wanted.words.name)
    assert faults == {wanted.words.value: "", wanted.words.kept: ""}
    assert name == f"{_LEFT}{log} (plain)"
    places = {one.place.partition(",")[0]: bool(one.finds) for one in erased.searched}
    assert places == {"database": False, "exports": False, "receipts": False, "logs": True}
    assert all(one.bytes and not one.unread for one in erased.searched)
    assert len(list(wanted.receipts.glob("*.receipt.json"))) == 2


def test_a_word_that_was_not_there_before_proves_nothing(prepared: tuple[Server, list[Erasable]]) -> None:
    server, (_, wanted) = prepared
    other = erasable.make_words()
    canaries = (other.canaries[0], *wanted.words.canaries[1:])
    words = wanted.words._replace(value=other.value, canaries=canaries)
    erased, faults = _prove(server, wanted._replace(words=words))
    assert faults == {other.value: _UNSTORED, words.kept: "", words.name: ""}
    assert not any(one.finds for one in erased.searched)


def test_erasure_needs_cryptography_and_a_database_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert erasable.is_possible()
    monkeypatch.setitem(sys.modules, "cryptography", None)  # As if it were not installed.
    assert not erasable.is_possible()
    parser = argparse.ArgumentParser()
    prove.add(parser.add_subparsers())
    args = parser.parse_args(["prove", "--url", "http://127.0.0.1:1", "--token", "t", "--family", "erasure"])
    with pytest.raises(CannotStart, match="--local"):
        args.run(args)
