"""A refusal delays no neighbour: it is explained in small steps, and within bounds for the whole body."""

import time

import pytest

from ingest.intake import explain
from ingest.intake.errors import Rejected
from ingest.intake.explain import Explanation
from schema import limits
from schema.decode import Refused, decode
from schema.rules import Violation
from schema.vocabulary import Mode, Vocabulary
from tests.bad_day import shapes
from tests.support.gauge import VOCABULARIES, vocabulary, window

NOT_SLOWER_THAN_A_GOOD_BATCH = 2.5  # The longest step, by decoding the largest good batch; alone it is about 1.
ROUNDS = 3


@pytest.fixture(scope="module")
def good_s() -> float:
    """Return the time to decode the largest good batch."""
    body, known, now = shapes.whole(), VOCABULARIES[Mode.REFUSE], window()

    def once() -> float:
        began = time.process_time()
        decode(body, known, now)
        return time.process_time() - began

    return min(once() for _ in range(5))


@pytest.mark.parametrize("shape", shapes.NAMES)
def test_no_step_of_an_explanation_is_longer_than_decoding_a_good_batch(shape: str, good_s: float) -> None:
    body = shapes.body(shape)
    assert len(body) <= limits.BODY_BYTES_MAX
    longest, names = [], 0
    for _ in range(ROUNDS):
        explanation = Explanation(body, VOCABULARIES[Mode.REFUSE], window())
        spent = [0.0]
        began = time.process_time()
        for _step in explanation.steps():
            spent.append(time.process_time() - began)
            began = time.process_time()
        longest.append(max(*spent, time.process_time() - began))
        names = max(names, explanation.names)
        assert explanation.refusal() is not None
    assert min(longest) < NOT_SLOWER_THAN_A_GOOD_BATCH * good_s
    assert names <= limits.NAMES_MAX


@pytest.mark.parametrize("shape", shapes.NAMES)
def test_refusing_is_no_slower_than_decoding_a_good_batch(shape: str, good_s: float) -> None:
    body, spent = shapes.body(shape), []
    for _ in range(ROUNDS):
        began = time.process_time()
        with pytest.raises(Refused):
            decode(body, VOCABULARIES[Mode.REFUSE], window())
        spent.append(time.process_time() - began)
    assert min(spent) < NOT_SLOWER_THAN_A_GOOD_BATCH * good_s


def test_names_are_counted_over_the_whole_body() -> None:
    wide = shapes.EVENT[:-1] + b"," + shapes.names(300) + b"}"
    explanation = Explanation(shapes.batch([wide] * 10), VOCABULARIES[Mode.REFUSE], window())
    list(explanation.steps())
    refusal = explanation.refusal()
    assert isinstance(refusal, Rejected)
    assert [pointer for rule, pointer, _ in refusal.violations if rule == "shape.unknown-field"] == [
        f"/events/{place}/*" for place in range(3)
    ]
    assert [pointer for rule, pointer, _ in refusal.violations if rule == "size.too-many-names"] == [
        f"/events/{place}" for place in range(3, 10)
    ]
    assert explanation.names == 900


def test_a_few_tags_are_looked_at_after_the_names_are_spent() -> None:
    wide = shapes.EVENT[:-1] + b"," + shapes.names(limits.NAMES_MAX) + b"}"
    body = shapes.batch([wide, shapes.changed(shapes.TAGS, b'{"prompt":"a:b:c"}')])
    refusal = explain.explain(body, VOCABULARIES[Mode.REFUSE], window())
    assert Violation("content.prompt", "/events/1/tags/*") in refusal.violations


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: shapes.body("as many such events as there is room for"), "size.too-many-names"),
        (lambda: shapes.body("numbers for events"), "size.too-many-events"),
        (lambda: shapes.batch([shapes.EVENT] * 6_000), "size.too-many-events"),
    ],
)
def test_what_there_is_too_much_of_is_named(make: shapes.Make, rule: str) -> None:
    refusal = explain.explain(make(), VOCABULARIES[Mode.REFUSE], window())
    assert [violation.rule for violation in refusal.violations] == [rule]


@pytest.mark.parametrize("shape", shapes.NAMES)
def test_a_body_that_is_not_explained_has_the_status_that_it_would_have(shape: str) -> None:
    body = shapes.body(shape)
    refusal = explain.cut(body)
    assert refusal.violations[-1].rule == "size.unexplained"
    assert type(refusal) is type(explain.explain(body, VOCABULARIES[Mode.REFUSE], window()))


def test_a_vocabulary_is_not_asked_for_a_tag_set_of_many_names() -> None:
    """The parser would create a name for each, 400,000 in one body."""
    known: Vocabulary = vocabulary(Mode.COARSEN)
    with pytest.raises(Refused):
        decode(shapes.body("one tag set of many names"), known, window())
    assert not known.tags
