"""Settings of the confinement: which layers a gateway starts without."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from msgspec import Meta

from ingest.config import Settings

# What an old kernel or a sandbox may lack. The other layers are there on every Linux.
Relaxable = Literal["landlock-fs", "landlock-net", "seccomp"]
RELAXABLE: tuple[Relaxable, ...] = get_args(Relaxable)


def _names(text: str) -> tuple[str, ...]:
    """Return the names of a list with commas, or raise ValueError."""
    found = tuple(each.strip() for each in text.split(",") if each.strip())
    if not set(found) <= set(RELAXABLE):
        raise ValueError
    return found


@dataclass(frozen=True, kw_only=True)
class ConfineSettings(Settings):
    """What the kernel holds of a gateway's processes."""

    gateway_confine: Annotated[
        Literal["required", "off"],
        Meta(description="required: a gateway's processes are confined by the kernel, or do not start; off"),
    ] = "required"
    gateway_confine_without: Annotated[
        str,
        Meta(
            description=f"layers to do without, with commas: {', '.join(RELAXABLE)}",
            extra={"check": _names},
        ),
    ] = ""
    gateway_lock_memory: Annotated[
        Literal["required", "tried", "off"],
        Meta(description="keep the gateway's memory out of swap: required, tried or off"),
    ] = "tried"
    gateway_overwrite: Annotated[
        bool,
        Meta(description="overwrite freed memory; with the GNU C library alone, and slower: docs/gateway-memory.md"),
    ] = False

    @property
    def relaxed(self) -> frozenset[str]:
        """Return the layers to do without."""
        return frozenset(_names(self.gateway_confine_without))
