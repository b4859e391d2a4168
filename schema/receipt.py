"""The receipt: the response to a stored batch."""

from typing import Annotated

from msgspec import Meta, Struct


class Receipt(Struct, frozen=True, omit_defaults=True):
    """The response to a stored batch, sent after COMMIT; every event is counted once."""

    accepted: Annotated[int, Meta(ge=0, description="Events stored by this batch.")]
    duplicates: Annotated[int, Meta(ge=0, description="Events that were already stored; the first stands.")]
    coarsened: Annotated[int, Meta(ge=0, description="Strings replaced by `unknown`, as the tenant asked.")] = 0
    replayed: Annotated[bool, Meta(description="This is the first receipt of the same (stream, sequence).")] = False
