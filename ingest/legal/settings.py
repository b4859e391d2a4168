"""The setting of the legal pages: the file with the operator's details."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.config import PREFIX, Settings

LEGAL_FILE = f"{PREFIX}LEGAL_FILE"


@dataclass(frozen=True, kw_only=True)
class LegalSettings(Settings):
    """Where the operator's details are; without them, the legal pages have marked placeholders."""

    legal_file: Annotated[
        str,
        Meta(description="TOML file with the operator's details for the legal pages: company, address, contacts, law"),
    ] = ""
