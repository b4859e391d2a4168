"""The provider on this machine, for the tests of a file."""

import gc
from collections.abc import Iterator

import pytest

from ingest.demo.provider import upstream
from ingest.demo.provider.upstream import Upstream


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    """Yield a provider that answers well, or badly if it is asked to."""
    with upstream.serving() as running:
        yield running
    # Each worker's application froze what there was, its open files included, as if the process were its own.
    gc.unfreeze()
    gc.collect()
