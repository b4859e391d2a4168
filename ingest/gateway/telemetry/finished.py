"""A request that has ended, in numbers and words of closed lists: what a worker hands to the companion."""

import struct
from typing import Final, NamedTuple

import msgspec

from ingest.gateway.records import Usage
from ingest.knowledge.gateway import Reason
from nocontent_reporter.event import Status, StopReason

PARCEL_BYTES_MAX: Final = 4_096
_CLIENT_ERROR: Final = 400
_STATUSES: Final[dict[int, Status]] = {408: "timeout", 429: "rate_limited", 499: "cancelled", 504: "timeout"}
_ERRORS: Final[dict[str, Status]] = {"rate_limit_error": "rate_limited", "timeout_error": "timeout"}
_HEAD: Final = struct.Struct("<IIQ")  # Place, slot and number, which `counts.Ledger` counts by.
_encoder = msgspec.msgpack.Encoder()


class Finished(NamedTuple):
    """One request. `usage` is None if the provider has not said what it used."""

    tenant_id: int
    provider: str  # A term.
    requested_model: str  # Terms, by `terms.terms_of(tenant).of(name)`: a client's own words stay in the worker.
    routed_model: str
    reason: Reason
    category: str
    status: Status
    http_status: int | None
    usage: Usage | None
    stop_reason: StopReason | None
    latency_ms: int
    ttft_ms: int | None
    streams: bool
    retried: bool
    fallback: bool
    at_ms: int  # When it ended, since 1970.


_decoder = msgspec.msgpack.Decoder(Finished)


class Parcel(NamedTuple):
    """A finished request on its way, with its number among those of its worker and tenant."""

    place: int
    slot: int
    number: int
    finished: Finished

    def encode(self) -> bytes:
        return _HEAD.pack(self.place, self.slot, self.number) + _encoder.encode(self.finished)

    @classmethod
    def decode(cls, message: bytes) -> "Parcel":
        """Raise ValueError for bytes that `encode` has not made."""
        try:
            place, slot, number = _HEAD.unpack_from(message)
            return cls(place, slot, number, _decoder.decode(memoryview(message)[_HEAD.size :]))
        except (msgspec.MsgspecError, struct.error):
            raise ValueError from None


def status_of(http_status: int, error: str | None, *, is_whole: bool) -> Status:
    """Return the outcome of an answer that the client did not cancel."""
    if http_status in _STATUSES:
        return _STATUSES[http_status]
    if error is not None:
        return _ERRORS.get(error, "error")
    return "ok" if is_whole and http_status < _CLIENT_ERROR else "error"
