"""Fixtures for the tests of metrics and alerts: Prometheus's programs, if there are any."""

import pytest

from tests.observe import install
from tests.observe.install import Programs


@pytest.fixture(scope="session")
def programs() -> Programs:
    if (here := install.found()) is None:
        pytest.skip(install.SAYS)
    return here
