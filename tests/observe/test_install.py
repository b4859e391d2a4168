"""The search for Prometheus, and the message if it cannot be had."""

from pathlib import Path

import pytest

from tests.observe import install
from tests.observe.install import CannotGet, Programs


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Simulate a machine without any of the programs."""
    monkeypatch.delenv("PROMETHEUS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(install, "_UNPACKED", tmp_path / "unpacked")
    return tmp_path


def put(folder: Path) -> Programs:
    folder.mkdir(parents=True)
    for name in ("prometheus", "promtool"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return Programs(folder / "prometheus", folder / "promtool")


def test_it_is_found_on_the_path_and_where_it_was_unpacked(bare: Path) -> None:
    assert install.found() is None
    unpacked = put(bare / "unpacked/usr/bin")
    assert install.found() == unpacked
    assert install.found() != put(bare / "bin")
    assert install.found() == Programs(bare / "bin/prometheus", bare / "bin/promtool")


def test_a_folder_that_was_named_is_the_only_one_looked_at(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bare / "bin")
    monkeypatch.setenv("PROMETHEUS", str(bare / "own"))
    assert install.found() is None
    assert put(bare / "own") == install.found()


def test_one_of_both_is_not_enough(bare: Path) -> None:
    put(bare / "bin").promtool.unlink()
    assert install.found() is None


@pytest.mark.usefixtures("bare")
def test_a_machine_without_apt_is_told_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CannotGet):
        install.get()
    assert install.main([]) == 1
    said = capsys.readouterr().err
    assert "no apt-get here" in said
    assert "PROMETHEUS=/path" in said
