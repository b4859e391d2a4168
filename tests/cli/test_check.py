"""`check`: decoding a file offline."""

import gzip
from pathlib import Path

import pytest
import zstandard

from ingest.__main__ import main
from tests.support import corpus, sample
from tests.support.wire import Sender


def _written(folder: Path, content: bytes, name: str = "body.json") -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def test_a_good_body_is_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", _written(tmp_path, sample.body(sample.event(tags={})))]) == 0
    assert capsys.readouterr().out.startswith("accepted: 1 events")


@pytest.mark.parametrize("name", [name for name in corpus.files("reject") if name.endswith("_as_the_body.json")])
def test_a_body_of_a_providers_api_is_explained_without_a_word_of_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = corpus.body("reject", name)
    assert main(["check", _written(tmp_path, content)]) == 1
    said = capsys.readouterr()
    assert name.partition("/")[0] in said.out
    assert {canary for canary in corpus.canaries(content) if canary in said.out + said.err} == set()


@pytest.mark.parametrize(("ending", "compress"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
def test_a_compressed_file_is_read(tmp_path: Path, ending: str, compress: "type[bytes]") -> None:
    assert main(["check", _written(tmp_path, compress(sample.body(sample.event(tags={}))), "body.json" + ending)]) == 0


def test_the_policy_of_a_tenant_brings_its_words(tmp_path: Path, sender: Sender) -> None:
    policy = _written(tmp_path, sender.get("/v1/policy").body, "policy.json")
    body = _written(tmp_path, sample.body())
    assert main(["check", body]) == 1
    assert main(["check", "--policy", policy, body]) == 0


@pytest.mark.parametrize(
    ("name", "content"), [("missing", None), ("bad.gz", b"no gzip"), ("bomb.gz", gzip.compress(bytes(9_000_000)))]
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(
    name: str, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        _written(tmp_path, content, name)
    assert main(["check", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_policy_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = _written(tmp_path, sample.body())
    assert main(["check", "--policy", body, body]) == 2
    assert "GET /v1/policy" in capsys.readouterr().err
