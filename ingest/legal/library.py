"""What a process shows of the legal documents: published versions, the operator's details, and the subprocessors."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from ingest.legal import documents, facts, subprocessors
from ingest.legal.documents import Published, Version
from ingest.legal.facts import Facts
from ingest.legal.settings import LegalSettings
from ingest.legal.subprocessors import Notice, Subprocessor
from ingest.store.acceptances import Accepted, DocumentId


class Library(NamedTuple):
    """All of it, read once at the start."""

    facts: Facts
    published: Published
    subprocessors: Sequence[Subprocessor]

    @property
    def to_accept(self) -> tuple[Version, ...]:
        """Return the newest version of each document; none before the operator's details are complete."""
        return tuple(versions[-1] for versions in self.published.values()) if self.facts.is_complete else ()

    def in_force(self, document: DocumentId, today: date) -> Version:
        """Return the version of a document that is in effect on a day."""
        return documents.in_force(self.published[document], today)

    def accepted(self, version: Version) -> Accepted:
        """Return what somebody who accepts a version agrees to."""
        return Accepted(version.head.id, version.head.version, version.digest, version.shown_digest(self.facts))

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Return the subprocessors that customers get notice of; none before the operator's details are complete."""
        return subprocessors.notices(self.subprocessors) if self.facts.is_complete else ()


def load(settings: LegalSettings) -> Library:
    """Read everything; raises CannotStart if a published version or entry is not as it was published."""
    known = facts.load(settings)
    return Library(known, documents.load(), subprocessors.load(_path(known)))


def listed(settings: LegalSettings) -> Sequence[Subprocessor]:
    """Return the subprocessors of this deployment alone; raises CannotStart as `load`."""
    return subprocessors.load(_path(facts.load(settings)))


def _path(known: Facts) -> Path:
    return subprocessors.SHIPPED if known.subprocessors is None else Path(known.subprocessors)
