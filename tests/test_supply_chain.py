"""What the image is made of: wheels pinned by their hashes, on a base pinned by its digest, run by nobody."""

import re

import pytest

from tests.support.house import house
from tests.support.service import ROOT

LOCKS = [name for name in house(ROOT).files if re.search(r"\brequirements[a-z-]*\.lock\Z", name)]
_PINNED = re.compile(r"[a-z0-9._-]+(\[[a-z0-9, -]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}")
_CONTAINERFILE = (ROOT / "Containerfile").read_text("utf-8")


def unpinned(lock: str) -> list[str]:
    """Return the requirements of a lock that lack a version or a hash."""
    joined = lock.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [line for line in lines if not _PINNED.match(line)]


@pytest.mark.parametrize("name", LOCKS)
def test_every_dependency_is_pinned_by_hash(name: str) -> None:
    lock = (ROOT / name).read_text("utf-8")
    assert "--hash=sha256:" in lock
    assert unpinned(lock) == []


@pytest.mark.parametrize("loose", ["left-pad>=1", "left-pad==1.0", "left-pad @ https://example.com/left-pad.whl"])
def test_a_loose_dependency_is_noticed(loose: str) -> None:
    assert unpinned(f"{loose}\n") == [loose]


def test_the_image_takes_wheels_with_those_hashes_on_a_base_pinned_by_digest() -> None:
    assert re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", _CONTAINERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", _CONTAINERFILE, re.MULTILINE)) == {"${BASE}"}
    installs = re.findall(r"pip \S+ \S+ install [^&]*", _CONTAINERFILE)
    assert installs
    assert all("--require-hashes --only-binary :all: -r" in " ".join(each.split()) for each in installs)


def test_the_image_runs_as_nobody() -> None:
    assert re.findall(r"^USER (.+)$", _CONTAINERFILE, re.MULTILINE) == ["65532:65532"]
