"""Refusals of the database's functions on webhooks, by SQLSTATE; no message of PostgreSQL's is read."""

from contextlib import AbstractContextManager

import asyncpg

from ingest.store.errors import explained_by


class WebhookError(Exception):
    """An act on webhooks was refused; nothing was changed."""


class NotAllowed(WebhookError):
    """The session's person is neither owner nor admin, or the session is over."""


class BadUrl(WebhookError):
    """The address breaks its grammar, or is not one to which webhooks may be sent."""


class TooMany(WebhookError):
    """The tenant has as many webhooks as it may have, or has tested one too often in this hour."""


_FACES: dict[type[asyncpg.PostgresError], type[WebhookError]] = {
    asyncpg.InsufficientPrivilegeError: NotAllowed,
    asyncpg.CheckViolationError: BadUrl,
    asyncpg.CharacterNotInRepertoireError: BadUrl,
    asyncpg.ProgramLimitExceededError: TooMany,
}


def explained() -> AbstractContextManager[None]:
    """Turn what PostgreSQL raises for a refused act into our errors."""
    return explained_by(_FACES)
