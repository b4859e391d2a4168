"""Errors that a page answers with a sentence; none has a value of the request."""

from typing import Literal

Weakness = Literal["too-short", "too-long", "too-common", "like-the-address"]


class AccountError(Exception):
    """Something about an account was refused."""

    def __init__(self) -> None:
        super().__init__()


class BadSignIn(AccountError):
    """Organisation, address and password do not belong together; which of them is wrong is not told."""


class BadCode(AccountError):
    """A code is wrong or was used before."""


class BadPassword(AccountError):
    """The password that confirms an act is wrong."""


class Throttled(AccountError):
    """Too many attempts; `retry_after_s` says when to try again."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class SessionOver(AccountError):
    """The session has ended, or awaits something else."""


class LinkOver(AccountError):
    """A link was used, has expired, or never was."""


class WeakPassword(AccountError):
    """A new password is too weak."""

    def __init__(self, weakness: Weakness) -> None:
        super().__init__()
        self.weakness = weakness


class TotpState(AccountError):
    """Codes of an authenticator are in force already, or not yet."""
