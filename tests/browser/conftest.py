"""One Chromium and one stage for each file; without a Chromium its tests are skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support import browser, stage
from tests.support.cluster import Cluster
from tests.support.stage import Stage


@pytest.fixture(scope="module")
def net_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser") / "net.json"


@pytest.fixture(scope="module")
def running(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if browser.find() is None:
        pytest.skip(browser.ABSENT)
    with stage.serving(postgres, tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def chromium(running: Stage, net_log: Path) -> Iterator[Browser]:  # noqa: ARG001 (starts after the stage, ends before it)
    with browser.started(net_log) as made:
        yield made
