"""The family `erasure`: a tenant's words are stored, found, erased by the jobs with receipts, and searched for again.

PostgreSQL's files are not searched for them: free space in pages and WAL keep bytes until they are overwritten, and a
receipt says until when backups and WAL archives hold what was erased.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from ingest.demo import local_service
from ingest.errors import CannotStart
from ingest.prove import search
from ingest.prove.case import Case, Expected, Request
from ingest.prove.client import Address, Connection
from ingest.prove.erasable import TAG_KEY, Erasable
from ingest.prove.families import Planned
from ingest.prove.kit import Kit
from ingest.prove.run import Outcome
from ingest.prove.search import SearchResult
from ingest.prove.verdict import fault
from ingest.rights.erasing.subjects import Finder, NothingFound
from ingest.rights.exporting import folder
from ingest.rights.exporting.manifest import Request as Wish
from ingest.rights.exporting.pace import Pace
from ingest.rights.exporting.run import Bar, Export
from ingest.rights.receipts.documents import Receipt
from ingest.rights.receipts.errors import InvalidReceipt
from ingest.rights.receipts.folder import Folder
from ingest.store import connections, tenants
from ingest.store.rights import erasures
from ingest.store.rights.datasets import DATA

FAMILY = "erasure"
SKIPPED = "erasure: cryptography is not installed, so that no receipt can be signed: install nocontent[rights]"
_ROUNDS_MAX = 10  # Of `nocontent jobs --once` for an erasure, which takes three.
_ROWS_PER_SECOND = 20_000
_VACUUM = "VACUUM nocontent.events, nocontent.batches, nocontent.usage"
_ANALYZE = "ANALYZE nocontent.vocabulary, nocontent.tenants"  # Its samples keep words, too.


class Erased(NamedTuple):
    """The outcomes of the words, and the places that were searched for them after their erasure."""

    outcomes: list[Outcome]
    searched: list[SearchResult]


async def prove(erasable: Erasable, to: Address, kit: Kit, logs: Sequence[Path]) -> Erased:
    """Store the words, find them, erase them, and search for them again; raises CannotStart."""
    dsn = erasable.settings.dsn
    async with connections.connected(dsn, "nocontent_control") as control:
        proof = _Proof(erasable, control, await tenants.find(control, erasable.words.name))
        outcomes = [await proof.store(to, kit, case) for case in _cases(erasable, kit)]
        searched = [*await proof.run(), proof.in_files("logs", [*logs, erasable.log])]
        proof.judge(searched)
    return Erased([proof.judged(one) for one in outcomes], searched)


def _cases(erasable: Erasable, kit: Kit) -> list[Case]:
    value, kept, name, _ = erasable.words
    tags = {
        "a tag's value, erased from all events": (value, {TAG_KEY: value}),
        "a tag's value, erased with its tenant": (kept, {TAG_KEY: kept}),
        "the tenant's name, erased with it": (name, {}),
    }
    return [Case(said, word, Request(kit.body({"tags": own})), Expected.ACCEPTED) for said, (word, own) in tags.items()]


class _Proof:
    """The steps for one tenant; `_faults` has the first fault of each word."""

    def __init__(self, erasable: Erasable, control: connections.Connection, tenant_id: int) -> None:
        self._erasable = erasable
        self._words = erasable.words
        self._dsn = erasable.settings.dsn
        self._control = control
        self._tenant_id = tenant_id
        self._faults: dict[str, str] = {}

    async def store(self, to: Address, kit: Kit, case: Case) -> Outcome:
        """Send a batch with a word."""
        wire = case.request.encoded(to.authority, self._erasable.token, to.prefix)
        connection = Connection(to)
        try:
            answer = await connection.send(wire)
        except OSError:
            raise CannotStart("The service can no longer be reached.") from None
        finally:
            await connection.close()
        return Outcome(Planned(FAMILY, case), answer.status, fault(case, answer, kit.policy, kit.canaries) or "")

    async def run(self) -> list[SearchResult]:
        """Find the words, erase them, and return what was searched for them afterwards."""
        value, kept, name, _ = self._words
        async with connections.connected(self._dsn, None) as operator:
            await operator.execute(_ANALYZE)
        before = await self._in_database()
        samples = tuple(each for each in before.finds if "pg_statistic" in each[0])
        self._require("the database", before, (value, kept, name))
        self._require("PostgreSQL's samples", before._replace(finds=samples), (kept,))
        self._require("an export", await self._export("export"), (value, kept, name))
        await self._erase("tag", (value,))
        between = await self._in_database()
        self._require("the database after the erasure of another", between, (kept, name))
        self.judge([_only(between, value)])
        export = await self._export("export-without-value")
        self._require("an export after the erasure of another", export, (kept, name))
        await self._erase("tenant", (kept, name))
        return [await self._in_database(), _only(export, value), self.in_files("receipts", [self._erasable.receipts])]

    def in_files(self, place: str, paths: Sequence[Path]) -> SearchResult:
        """Search files for the words."""
        return search.in_files(f"{place}, erased words", self._words, paths, _pass)

    def judge(self, searched: Sequence[SearchResult]) -> None:
        """Note a fault for each word that was found."""
        for one in searched:
            for where, find in one.finds:
                self._note(find.canary, f"found after its erasure in {where} ({find.form})")

    def judged(self, outcome: Outcome) -> Outcome:
        """Return an outcome with what was found of its word."""
        said = (outcome.fault, self._faults.get(outcome.planned.case.canary, ""))
        return outcome._replace(fault="; ".join(filter(None, said)))

    def _note(self, word: str, said: str) -> None:
        self._faults.setdefault(word, said)

    def _require(self, place: str, searched: SearchResult, words: Sequence[str]) -> None:
        """Note a fault for each word that was not found: the search, or what was stored, is not what it should be."""
        found = {find.canary for _, find in searched.finds}
        for word in words:
            if word not in found:
                self._note(word, f"not found in {place}, where it should be")

    async def _in_database(self) -> SearchResult:
        found = await search.in_database(self._words, self._dsn, _pass)
        finds = tuple(find for one in found for find in one.finds)
        unread = tuple(name for one in found for name in one.unread)
        return SearchResult("database, erased words", sum(one.bytes for one in found), finds, unread)

    async def _export(self, name: str) -> SearchResult:
        wish = Wish(tenant=self._words.name, format="csv", data=DATA)
        path = self._erasable.folder / name
        async with connections.connected(self._dsn, "nocontent_exporter") as connection:
            with folder.opened(path) as opened:
                await Export(connection, opened, Pace(_ROWS_PER_SECOND), Bar(_pass, _pass)).run(wish, self._tenant_id)
        return self.in_files("exports", [path])

    async def _erase(self, scope: str, words: Sequence[str]) -> None:
        """Record an erasure as an operator does, and run the jobs until it is finished."""
        async with connections.connected(self._dsn, "nocontent_eraser") as eraser:
            finder = Finder(self._tenant_id, self._control, eraser)
            try:
                found = await (
                    finder.tenant() if scope == "tenant" else finder.tag(f"{TAG_KEY}={words[0]}", None, None)
                )
            except NothingFound:
                self._note(words[0], "nothing to erase")
                return
        recorded = await erasures.record(self._control, found.subject)
        is_finished = await self._finish(recorded.erasure_id)
        if not is_finished or not self._has_receipt(recorded.erasure_id):
            for word in words:
                self._note(word, "no receipt that verifies" if is_finished else "the erasure did not finish")

    async def _finish(self, erasure_id: UUID) -> bool:
        async with connections.connected(self._dsn, None) as operator:
            for _ in range(_ROUNDS_MAX):
                await asyncio.to_thread(
                    local_service.run, self._erasable.settings, self._erasable.log, "jobs", "--once"
                )
                found = await erasures.find(self._control, erasure_id)
                if found is not None and found.step == "finished":
                    return True
                await operator.execute(_VACUUM)
        return False

    def _has_receipt(self, erasure_id: UUID) -> bool:
        from ingest.rights.receipts import signing  # noqa: PLC0415 (of the extra `rights`)

        files = Folder(str(self._erasable.receipts)).receipts(erasure_id)
        try:
            return bool([signing.verify_as(raw, self._erasable.public_keys, Receipt) for raw in files])
        except InvalidReceipt:
            return False


def _only(searched: SearchResult, word: str) -> SearchResult:
    """Leave out the finds of words that may still be there."""
    return searched._replace(finds=tuple(each for each in searched.finds if each[1].canary in {word, ""}))


def _pass(*_: object) -> None:
    pass
