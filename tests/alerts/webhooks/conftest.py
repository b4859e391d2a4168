"""A receiver with a certificate of the tests' own authority."""

from collections.abc import AsyncIterator

import pytest

from tests.support import receiver
from tests.support.certificates import Authority, Pair
from tests.support.receiver import Receiver


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def pair(authority: Authority) -> Pair:
    return authority.issue("receiver", "localhost", "hooks.example.com")


@pytest.fixture
async def hook(pair: Pair) -> AsyncIterator[Receiver]:
    async with receiver.receiving((str(pair.cert), str(pair.key))) as own:
        yield own
