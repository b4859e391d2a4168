"""Settings of the integrations and the command that have no code to take them from: the environment's."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PREFIX = "NOCONTENT_REPORTER_"
NAMES = ("URL", "TOKEN", "TOKEN_FILE", "SPOOL", "TASK_CATEGORIES", "TAGS")


class BadSettings(Exception):
    """A setting is missing or wrong; the message names it and has no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The reporter's server and spool, and words of callers that may be sent as terms."""

    url: str
    token: str
    spool: Path | None = None
    task_categories: frozenset[str] = frozenset()
    tag_keys: frozenset[str] = frozenset()


def from_environment(given: Mapping[str, str] = {}) -> Settings:
    """Return the settings in this process's environment, replaced by those given; raises BadSettings."""
    replaced = {PREFIX + name: value for name, value in given.items()}
    if "TOKEN_FILE" in given:
        replaced[f"{PREFIX}TOKEN"] = ""
    return read({**os.environ, **replaced})


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings; raises BadSettings."""
    given = {name.removeprefix(PREFIX): value for name, value in environment.items() if name.startswith(PREFIX)}
    if unknown := sorted(given.keys() - set(NAMES)):
        raise BadSettings(
            f"{PREFIX}{unknown[0]} is not a setting; there are {', '.join(PREFIX + name for name in NAMES)}"
        )
    if not given.get("URL"):
        raise BadSettings(f"{PREFIX}URL is not set: the server's address, such as https://telemetry.example")
    return Settings(
        url=given["URL"],
        token=_token(given),
        spool=Path(given["SPOOL"]) if given.get("SPOOL") else None,
        task_categories=_words(given.get("TASK_CATEGORIES", "")),
        tag_keys=_words(given.get("TAGS", "")),
    )


def token_of(file: Path) -> str:
    """Return the token in a file; raises BadSettings."""
    try:
        return file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise BadSettings("the token's file cannot be read") from None


def _token(given: Mapping[str, str]) -> str:
    token, file = given.get("TOKEN"), given.get("TOKEN_FILE")
    if bool(token) == bool(file):
        raise BadSettings(f"set {PREFIX}TOKEN or {PREFIX}TOKEN_FILE, one of them")
    return token or token_of(Path(file or ""))


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.replace(",", " ").split())
