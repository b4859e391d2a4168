"""Refusals of the database's functions on people, by SQLSTATE; no message of PostgreSQL's is read."""

from contextlib import AbstractContextManager

import asyncpg

from ingest.store.errors import explained_by


class PeopleError(Exception):
    """An act on people was refused; nothing was changed."""


class NotAllowed(PeopleError):
    """The session's person may not do that, or the session is over."""


class LastOwner(PeopleError):
    """The tenant would be left without an owner who can sign in."""


class PersonUnknown(PeopleError):
    """The tenant has no such person, or none for whom the act makes sense."""


class AddressTaken(PeopleError):
    """The tenant has a person with that address."""


class BadDetails(PeopleError):
    """An address, name, role or time zone breaks its grammar."""


class TooManyPeople(PeopleError):
    """The tenant has as many people as one may have, or has invited as many within the hour."""


class TooManyLetters(PeopleError):
    """A person had as many letters with a link within the hour as may be sent; the link before is as it was."""


_FACES: dict[type[asyncpg.PostgresError], type[PeopleError]] = {
    asyncpg.InsufficientPrivilegeError: NotAllowed,
    asyncpg.ObjectNotInPrerequisiteStateError: LastOwner,
    asyncpg.NoDataFoundError: PersonUnknown,
    asyncpg.UniqueViolationError: AddressTaken,
    asyncpg.CheckViolationError: BadDetails,
    asyncpg.NotNullViolationError: BadDetails,
    asyncpg.CharacterNotInRepertoireError: BadDetails,
    asyncpg.ProgramLimitExceededError: TooManyPeople,
}


def explained() -> AbstractContextManager[None]:
    """Turn what PostgreSQL raises for a refused act into our errors."""
    return explained_by(_FACES)
