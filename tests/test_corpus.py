"""Every file of the corpus, through the gates and the service: the right refusal, no row, no echo."""

from collections.abc import Callable

import pytest

from ingest.intake.explain import explain
from ingest.intake.problems import FACES
from schema.decode import Refused, decode
from schema.rules import RULES
from schema.vocabulary import Mode
from tests.support import corpus
from tests.support.cluster import Watch
from tests.support.gauge import VOCABULARIES, window
from tests.support.service import ROOT, Server
from tests.support.wire import Answer, Sender

# Rules that a new term meets, which only a tenant that learns has.
LEARNING = {"secret.high-entropy", "secret.password"} | {
    f"vocabulary.{name}" for name in ("address", "bad-term", "encoded", "name", "number", "prose")
}
# Where a term is wrong or looks like a secret, a tenant that coarsens has `unknown` stored in its place.
# DEL is ASCII, so it is the same with a term that has one.
COARSENED = ("vocabulary.", "secret.")
# A body alone cannot break these, or only a large one; the test that does is named.
ELSEWHERE = {
    "content.diagnostics": "tests/intake/test_partial.py",
    "content.unknown-key": "tests/intake/test_cloudevents.py",
    "shape.malformed-otlp": "tests/intake/otlp/test_readers.py",
    "size.too-many-attributes": "tests/intake/otlp/test_readers.py",
    "size.too-many-spellings": "tests/schema/test_composition.py",  # It takes 501 events.
    "size.unexplained": "tests/bad_day/test_5_explain.py",
    "vocabulary.budget": "tests/intake/test_learning.py",
}
PROBLEMS_ELSEWHERE = {
    "malformed": "tests/test_corpus.py",
    "rejected": "tests/test_corpus.py",
    "revoked-token": "tests/intake/test_tokens.py",
    "slow-body": "tests/intake/test_bodies.py",
    "sequence-reused": "tests/intake/test_events.py",
    "quota-exceeded": "tests/intake/test_quota.py",
    "clock-adrift": "tests/bad_day/test_1_clocks.py",
    "bad-request": "tests/bad_day/test_3_http.py",
    "head-too-large": "tests/bad_day/test_3_http.py",
    "version-unsupported": "tests/bad_day/test_3_http.py",
    "slow-head": "tests/bad_day/test_3_connections.py",
    "batch-over-quota": "tests/bad_day/test_5_quota.py",
    "quota-spent": "tests/intake/litellm/test_door.py",
    "overloaded": "docs/outcomes.md",
    "unavailable": "docs/outcomes.md",
    "outcome-unknown": "docs/outcomes.md",
    "stopping": "docs/outcomes.md",
    "unstorable": "docs/outcomes.md",
    "not-ready": "tests/intake/test_health.py",
    "bug": "tests/intake/test_problems.py",
}


def refusal_rules(body: bytes, mode: Mode) -> list[str]:
    """Return the rules by which the gates refuse a body, in the order of the response."""
    with pytest.raises(Refused) as refused:
        decode(body, VOCABULARIES[mode], window())
    assert refused.value.args == ()
    violations = explain(body, VOCABULARIES[mode], window()).violations
    return list(dict.fromkeys(violation.rule for violation in violations))


def assert_nothing_said(answer: Answer, log: str, canaries: set[str]) -> None:
    answered = answer.body.decode("utf-8", "replace") + "\n".join(
        f"{name}: {value}" for name, value in answer.headers.items()
    )
    assert {canary for canary in canaries if canary in answered} == set()
    assert {canary for canary in canaries if canary in log} == set()


@pytest.mark.parametrize("name", corpus.files("accept"))
def test_the_gates_let_pass(name: str) -> None:
    decoded = decode(corpus.body("accept", name), VOCABULARIES[Mode.REFUSE], window())
    assert decoded.event_ids or decoded.dropped


@pytest.mark.parametrize("name", corpus.files("accept"))
def test_the_service_stores(name: str, sender: Sender, watch: Watch) -> None:
    before = watch.counts()
    answer = sender.post(corpus.body("accept", name))
    assert answer.status == 200, answer.body
    accepted = answer.json["accepted"]
    assert isinstance(accepted, int)
    assert watch.counts() == (before[0] + accepted, before[1] + 1, before[2])


@pytest.mark.parametrize("name", corpus.files("reject"))
def test_the_gates_refuse_by_rule(name: str) -> None:
    rule = name.partition("/")[0]
    mode = Mode.LEARN if rule in LEARNING else Mode.REFUSE
    assert rule in refusal_rules(corpus.body("reject", name), mode)[:2]


@pytest.mark.parametrize("name", [name for name in corpus.files("reject") if not name.startswith(COARSENED)])
def test_coarsening_lets_nothing_pass_but_terms(name: str) -> None:
    assert refusal_rules(corpus.body("reject", name), Mode.COARSEN)


@pytest.mark.parametrize("name", corpus.files("reject"))
def test_the_service_refuses_by_rule(
    name: str, sender_of: Callable[[str], Sender], server: Server, watch: Watch
) -> None:
    rule = name.partition("/")[0]
    content = corpus.body("reject", name)
    before, log_start = watch.counts(), server.log.stat().st_size
    answer = sender_of("learner" if rule in LEARNING else "main").post(content)
    assert (answer.status, answer.problem) in {(422, "rejected"), (400, "malformed")}
    assert (answer.problem == "malformed") == ("shape.malformed-json" in answer.rules)
    assert rule in answer.rules[:2]
    assert watch.counts() == before
    assert_nothing_said(answer, _log_since(server, log_start), corpus.canaries(content))


@pytest.mark.parametrize("name", corpus.files("problems"))
def test_the_service_answers_with_the_problem(
    name: str, sender_of: Callable[[str], Sender], server: Server, watch: Watch
) -> None:
    request = corpus.request("problems", name)
    content = request.content()
    before, log_start = watch.counts(), server.log.stat().st_size
    sender = sender_of(request.tenant)
    headers = request.wire_headers()
    if request.chunked:
        assert content is not None
        answer = sender.post_in_chunks(request.path, content)
    else:
        answer = sender.request(request.method, request.path, content, headers)
    assert answer.problem == name.partition("/")[0]
    assert watch.counts() == before
    said = [request.path, *(value for value in request.headers.values() if value), (content or b"").decode("latin-1")]
    assert_nothing_said(answer, _log_since(server, log_start), corpus.canaries("\n".join(said).encode()))


def test_every_rule_has_a_folder_of_the_corpus_and_no_folder_is_without_a_rule() -> None:
    folders = {path.name for path in (corpus.FOLDER / "reject").iterdir()}
    assert folders | ELSEWHERE.keys() == RULES.keys()
    assert not folders & ELSEWHERE.keys()


def test_every_problem_has_a_folder_of_the_corpus_or_a_test() -> None:
    folders = {path.name for path in (corpus.FOLDER / "problems").iterdir()}
    assert folders | PROBLEMS_ELSEWHERE.keys() == {face.problem for face in FACES.values()}
    assert not folders & PROBLEMS_ELSEWHERE.keys()


@pytest.mark.parametrize(("thing", "file"), sorted((ELSEWHERE | PROBLEMS_ELSEWHERE).items()))
def test_what_the_corpus_leaves_out_is_tested_where_it_says(thing: str, file: str) -> None:
    assert thing in (ROOT / file).read_text("utf-8")


def _log_since(server: Server, start: int) -> str:
    with server.log.open("rb") as log:
        log.seek(start)
        return log.read().decode("utf-8", "replace")
