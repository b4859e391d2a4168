"""The families make many cases, each with its own canary, and the same for a seed."""

import contextlib
import re
import zlib
from collections import Counter
from collections.abc import Iterator

import pytest
import zstandard

from ingest.intake.errors import Malformed, Rejected
from ingest.intake.explain import explain
from ingest.intake.otlp import json_text, protobuf
from ingest.intake.otlp.export import LOGS, TRACES, Export
from ingest.prove import otlp
from ingest.prove.case import EVENTS, OTLP, Case, Expected, Request
from ingest.prove.cases.learning import LESSONS
from ingest.prove.families import FAMILIES, Planned, digest, plan
from ingest.prove.formats import FORMATS, keys
from ingest.prove.kit import Kit
from ingest.prove.shapes import SHAPES, leaves
from ingest.serving import steps
from schema.decode import Decoded, Refused, Window, decode
from schema.vocabulary import Mode
from tests.prove.policies import NOW_MS, kit
from tests.support.gauge import VOCABULARIES
from tests.support.service import ROOT

_WITHOUT_CANARY = {"hostile-numbers", "learning-prompts", "learning-random-strings"}
_NOT_FOR_THE_DOOR = {"wrapped-bodies", "headers-of-refused"}  # What comes before it says no.
_WINDOW = Window.at(NOW_MS, 30)


@pytest.fixture(scope="module")
def made() -> tuple[Kit, list[Planned]]:
    maker = kit()
    return maker, plan(maker, list(FAMILIES))


def test_there_are_20_000_that_must_be_refused_and_200_that_must_not(made: tuple[Kit, list[Planned]]) -> None:
    counts = Counter(case.expected for _, case in made[1])
    assert counts[Expected.REFUSED] >= 20_000
    assert counts[Expected.ACCEPTED] >= 200


@pytest.mark.parametrize(
    "page", ["README.md", "Makefile", "docs/proof.md", "ingest/__main__.py", "ingest/console/templates/promise.html"]
)
def test_a_page_says_how_many_cases_there_are(page: str, made: tuple[Kit, list[Planned]]) -> None:
    """In thousands; in docs/proof.md also of runs of the past."""
    said = re.findall(r"some (\d+,000) (?:ways|requests|adversarial)", (ROOT / page).read_text("utf-8"))
    assert set(said) == {f"{round(len(made[1]), -3):,}"}


def test_every_canary_is_of_one_case(made: tuple[Kit, list[Planned]]) -> None:
    canaries = [case.canary for _, case in made[1] if not case.name.endswith((", gzip", ", zstd"))]
    assert len(set(canaries)) == len(canaries)


def test_every_name_is_of_one_case_and_holds_no_canary(made: tuple[Kit, list[Planned]]) -> None:
    maker, planned = made
    names = Counter((family, case.name) for family, case in planned)
    assert [name for name, count in names.items() if count > 1] == []
    assert list(maker.canaries.find("\n".join(name for _, name in names).encode())) == []


def test_every_case_but_good_batches_holds_its_canary(made: tuple[Kit, list[Planned]]) -> None:
    maker, planned = made
    for family, case in planned:
        if case.expected is not Expected.ACCEPTED and family not in _WITHOUT_CANARY:
            found = {find.canary for find in maker.canaries.find(_sent(case.request))}
            assert found == {case.canary}, f"{family}: {case.name}"


def test_the_door_takes_every_good_batch(made: tuple[Kit, list[Planned]]) -> None:
    for _, case in made[1]:
        if case.expected is Expected.ACCEPTED and not case.is_of_learner and case.request.target == EVENTS:
            assert len(_decoded(case).tags) == case.events, case.name


def test_the_door_takes_no_body_that_must_be_refused(made: tuple[Kit, list[Planned]]) -> None:
    taken = set()
    for family, case in made[1]:
        if case.expected is Expected.REFUSED and family not in _NOT_FOR_THE_DOOR:
            with contextlib.suppress(Refused):
                taken.add((_decoded(case), case.name)[1])
    assert taken == set()


def test_the_doors_of_otlp_refuse_all_content_and_take_what_is_good(made: tuple[Kit, list[Planned]]) -> None:
    wrong = [case.name for _, case in made[1] if case.request.target in OTLP and not _is_answered_rightly(case)]
    assert wrong == []


def _is_answered_rightly(case: Case) -> bool:
    """Return whether a request is read if it must be accepted, and refused if it must be refused."""
    encoding = {otlp.PROTOBUF: protobuf.ENCODING, otlp.JSON: json_text.ENCODING}[
        dict(case.request.headers)[b"Content-Type"]
    ]
    signal = LOGS if case.request.target == b"/v1/logs" else TRACES
    body = _inflated(case.request.body) or case.request.body
    try:
        steps.finish(Export(signal, encoding, lambda _key, _value: None).steps(body))
    except Rejected:
        return case.expected is not Expected.ACCEPTED
    except Malformed:
        return case.request.target == b"/v1/metrics"
    return case.expected is not Expected.REFUSED


def test_traffic_may_teach_each_lesson_and_nothing_else(made: tuple[Kit, list[Planned]]) -> None:
    taught = set()
    for _, case in made[1]:
        if case.is_of_learner:
            refusal = explain(case.request.body, VOCABULARIES[Mode.LEARN], _WINDOW)
            terms = {candidate.term for candidate in getattr(refusal, "candidates", ())}
            assert bool(terms) == (case.expected is Expected.ACCEPTED), case.name
            taught |= terms
    assert taught == {term for terms in LESSONS.values() for term in terms}


def test_a_seed_repeats_a_run_and_a_secret_does_not() -> None:
    some = ["accepted-forms", "keys", "framing"]
    assert digest(plan(kit(), some)) == digest(plan(kit(), some))
    assert digest(plan(kit(seed=2), some)) != digest(plan(kit(), some))
    assert kit(b"two").canary() != kit(b"one").canary()


def test_a_share_is_an_even_one(made: tuple[Kit, list[Planned]]) -> None:
    sizes = Counter(family for family, _ in made[1])
    planned = plan(kit(), list(FAMILIES), 500)
    assert len(planned) == 500
    assert {family for family, _ in planned} >= {each for each, size in sizes.items() if size > sizes.total() / 500}


def test_the_formats_of_keys_differ_and_hold_the_canary() -> None:
    maker = kit()
    canary = maker.canary()
    made = dict(keys(canary))
    assert len(set(made.values())) == len(FORMATS) >= 80
    for name, key in made.items():
        assert [find.canary for find in maker.canaries.find(key.encode())] == [canary], name


def test_the_shapes_are_of_every_api() -> None:
    apis = {name.split("-")[0] for name in SHAPES}
    assert apis >= {"anthropic", "openai", "gemini", "bedrock", "cohere", "mistral"}
    assert all(leaves(name) > 0 for name in SHAPES)


def _sent(request: Request) -> bytes:
    return request.encoded(b"host", b"token") + _inflated(request.body)


def _inflated(body: bytes) -> bytes:
    """Return the readable contents of a container, also of one nested in it."""
    if body[:2] in {b"\x1f\x8b", b"\x78\x9c"}:
        inflater = zlib.decompressobj(32 + zlib.MAX_WBITS)  # gzip or zlib.
        inner = inflater.decompress(body)
        return inner + _inflated(inner) + _inflated(inflater.unused_data)
    if body[:4] == b"\x28\xb5\x2f\xfd" or body[1:4] == b"\x2a\x4d\x18":  # A frame, or a skippable one.
        reader = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True)
        return b"".join(_readable(reader))
    return b""


def _readable(reader: zstandard.ZstdDecompressionReader) -> Iterator[bytes]:
    with contextlib.suppress(zstandard.ZstdError):
        while piece := reader.read(65_536):
            yield piece


def _decoded(case: Case) -> Decoded:
    return decode(_inflated(case.request.body) or case.request.body, VOCABULARIES[Mode.REFUSE], _WINDOW)
