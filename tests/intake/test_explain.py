"""Bodies that the explain path once named wrongly or not at all."""

import pytest

from ingest.intake.explain import explain
from schema.decode import Refused, decode
from schema.event import Kind
from schema.limits import STRING_CHARS_MAX
from schema.vocabulary import UNKNOWN, Mode, Vocabulary
from tests.support import sample
from tests.support.gauge import VOCABULARIES, vocabulary, window


@pytest.mark.parametrize("known", VOCABULARIES.values(), ids=lambda known: known.modes[Kind.MODEL].name)
@pytest.mark.parametrize("field", ["task_category", "provider", "requested_model", "routed_model"])
@pytest.mark.parametrize("term", ["", "a" * 97, "a" * 1_024, "a" * 1_025, "a" * 5_000])
def test_a_term_of_no_length_or_too_long_is_named_in_every_mode(known: Vocabulary, field: str, term: str) -> None:
    body = sample.body(sample.event(**{field: term}))
    if known.modes[Kind.MODEL] is Mode.COARSEN and len(term) <= STRING_CHARS_MAX:
        assert decode(body, known, window()).coarsened == 1
        return
    with pytest.raises(Refused):
        decode(body, known, window())
    assert explain(body, known, window()).violations


def test_coarsening_goes_on_after_an_operator_removed_unknown() -> None:
    known = vocabulary(Mode.COARSEN)
    for key_id in known.tag_values:
        known.remove(Kind.TAG_VALUE, key_id, UNKNOWN)
    assert decode(sample.body(sample.event(tags={"team": "nope"})), known, window()).coarsened == 1
