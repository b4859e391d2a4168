"""Settings of a process that carries out erasures."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ingest.config import PREFIX
from ingest.rights.receipts.settings import ReceiptSettings

SHARE = f"{PREFIX}ERASURE_PERCENT"


@dataclass(frozen=True, kw_only=True)
class ErasingSettings(ReceiptSettings):
    """The settings of receipts, and the share of the time that an erasure may work."""

    erasure_percent: Annotated[
        int, Meta(ge=1, le=100, description="percent of the time that an erasure may work; it rests in between")
    ] = 50
