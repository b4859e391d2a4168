"""Settings of a process in which people sign in."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.config import Settings


@dataclass(frozen=True, kw_only=True)
class AccountSettings(Settings):
    """Settings of sessions."""

    session_keys_file: Annotated[
        str, Meta(description="file of the keys that sign sessions, from `nocontent account keygen`")
    ] = ""
