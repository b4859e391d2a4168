"""The bearers by which gateways identify themselves, `ncg_<tenant id>_<mac>`, by a key that the service shares.

A bearer is good for one purpose and one tenant. Nothing about it is stored: the service computes it again.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, Self

from msgspec import Meta

from ingest.config import PREFIX, Settings
from ingest.knowledge import keys
from ingest.knowledge.keys import Key, Keys

Purpose = Literal["snapshot", "events"]
SETTING = f"{PREFIX}GATEWAY_KEY_FILE"
EVERY_TENANT = 0  # The tenant of a bearer for the snapshot, which is about all of them.
NOW_HEADER = "x-nocontent-now-ms"  # The service's clock, also with an answer that says that nothing has changed.
_FORMAT = re.compile(r"ncg_(0|[1-9][0-9]{0,9})_([A-Za-z0-9_-]{43})\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class GatewayKeySettings(Settings):
    """The key that gateways and the service share."""

    gateway_key_file: Annotated[
        str, Meta(description="file of the keys that gateways and the service share, from `nocontent gateway keygen`")
    ] = ""


class GatewayBearer(NamedTuple):
    """A bearer as a gateway sends it, not verified."""

    tenant_id: int
    mac: str

    @classmethod
    def parse(cls, bearer: str) -> Self | None:
        """Return the parts of a bearer, or None if the string does not have the form of one."""
        match = _FORMAT.match(bearer)
        return cls(int(match[1]), match[2]) if match else None

    def is_of(self, known: Keys, purpose: Purpose) -> bool:
        """Return whether one of the keys made it for a purpose."""
        return any(hmac.compare_digest(self.mac, _mac(key, purpose, self.tenant_id)) for key in known.own)

    def __repr__(self) -> str:
        return f"GatewayBearer({self.tenant_id}, …)"


def bearer(known: Keys, purpose: Purpose, tenant_id: int = EVERY_TENANT) -> str:
    """Return the bearer by which a gateway identifies itself for a purpose."""
    return f"ncg_{tenant_id}_{_mac(known.first, purpose, tenant_id)}"


def named(settings: GatewayKeySettings) -> Callable[[], Keys] | None:
    """Return what returns the keys in force, or None without a file; raises CannotStart."""
    return keys.named(settings.gateway_key_file, SETTING)


def _mac(key: Key, purpose: Purpose, tenant_id: int) -> str:
    digest = key.sign(f"gateway.{purpose}", str(tenant_id).encode())
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
