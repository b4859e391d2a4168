"""Words that were erased from a vocabulary, as digests: traffic may not teach them while senders may have them."""

import hashlib
import hmac

from ingest.store.connections import Connection
from schema.learning import Candidate


def digest(salt: bytes, word: str) -> bytes:
    """Return the digest of a word, with the random salt of the erasure alone, so that it compares with no other."""
    return hmac.digest(salt, word.encode(), hashlib.sha256)


_OF_PLACE = "SELECT digest, salt FROM erased_words WHERE tenant_id = $1 AND kind = $2 AND parent_id = $3"


async def has(connection: Connection, tenant_id: int, candidate: Candidate) -> bool:
    """Return whether a word was erased, in the transaction of an act, which orders it after or before the erasure."""
    kind, parent, term = candidate
    found = await connection.fetch(_OF_PLACE, tenant_id, kind, parent)
    return any(hmac.compare_digest(row["digest"], digest(row["salt"], term)) for row in found)
