"""What is remembered of prefixes: for how long, of how many, and that no key of another process reads it."""

from ingest.gateway.records import Usage
from ingest.gateway.routing.warm import TTL_1H_S, TTL_S, WarmPrefixes
from tests.gateway.routing.requests import CACHED, HAIKU, NOW_S, OPUS, answer, request, user

WRITTEN, READ = Usage(cache_write_5m_tokens=9_000), Usage(cache_read_tokens=8_000)
WRITTEN_1H = Usage(cache_write_1h_tokens=9_000)
ASKED = request("general: x", **CACHED)


def test_tokens_are_warm_at_the_model_that_has_them_for_five_minutes() -> None:
    warm = WarmPrefixes()
    prefixes = warm.prefixes(7, ASKED)
    warm.note(prefixes, OPUS, WRITTEN, NOW_S)
    assert warm.cached(prefixes, OPUS, NOW_S + TTL_S - 1) == 9_000
    assert warm.cached(prefixes, OPUS, NOW_S + TTL_S) == 0
    assert warm.cached(prefixes, HAIKU, NOW_S) == 0


def test_a_use_keeps_them_warm_for_as_long_as_was_paid_for() -> None:
    for used, ttl_s in ((WRITTEN, TTL_S), (WRITTEN_1H, TTL_1H_S)):
        warm = WarmPrefixes()
        prefixes = warm.prefixes(7, ASKED)
        assert warm.note(prefixes, OPUS, used, NOW_S) == ttl_s
        assert warm.note(prefixes, OPUS, READ, NOW_S + ttl_s - 1) == ttl_s
        assert warm.cached(prefixes, OPUS, NOW_S + 2 * ttl_s - 2) == 8_000
        assert warm.note(prefixes, OPUS, READ, NOW_S + 3 * ttl_s) == TTL_S  # It was cold; who paid is not known.


def test_nothing_is_remembered_an_hour_after_its_last_use() -> None:
    warm = WarmPrefixes()
    for at_s, tenant_id, used in ((0, 7, WRITTEN_1H), (10, 8, WRITTEN), (20, 7, READ)):
        prefixes = warm.prefixes(tenant_id, ASKED)
        warm.note(prefixes, OPUS, used, NOW_S + at_s)
        warm.note_refusal(prefixes, HAIKU, NOW_S + at_s)
        warm.note_switch(prefixes, HAIKU, NOW_S + at_s + TTL_S)
    warm.forget(NOW_S + TTL_1H_S + 19)
    assert len(warm) > 0
    warm.forget(NOW_S + TTL_1H_S + 20)
    assert len(warm) == 0


def test_an_answer_without_cached_tokens_leaves_nothing() -> None:
    warm = WarmPrefixes()
    warm.note(warm.prefixes(7, ASKED), OPUS, Usage(input_tokens=9_000, output_tokens=9), NOW_S)
    assert len(warm) == 0


def test_conversations_that_begin_alike_share_what_stands_before_the_first_message() -> None:
    warm = WarmPrefixes()
    other = request("general: another", **CACHED)
    warm.note(warm.prefixes(7, ASKED), OPUS, Usage(cache_write_5m_tokens=40_000), NOW_S)
    assert warm.cached(warm.prefixes(7, ASKED), OPUS, NOW_S) == 40_000
    assert warm.cached(warm.prefixes(7, other), OPUS, NOW_S) == ASKED.shared_estimate
    assert warm.cached(warm.prefixes(8, ASKED), OPUS, NOW_S) == 0


def test_a_conversation_goes_on_under_its_digest() -> None:
    warm = WarmPrefixes()
    later = request("general: x", answer(), user("And?"), **CACHED)
    assert warm.prefixes(7, later) == warm.prefixes(7, ASKED) != warm.prefixes(7, request("general: y", **CACHED))


def test_another_process_cannot_recognize_a_digest() -> None:
    assert WarmPrefixes().prefixes(7, ASKED) != WarmPrefixes().prefixes(7, ASKED)


def test_it_is_bounded_and_forgets_the_least_recently_used() -> None:
    warm = WarmPrefixes(entries_max=10)
    prefixes = [warm.prefixes(7, request(f"general: {number}")) for number in range(12)]
    for each in (*prefixes[:10], prefixes[0], *prefixes[10:]):
        warm.note(each, OPUS, WRITTEN, NOW_S)
        warm.note_switch(each, HAIKU, NOW_S + TTL_S)
        assert len(warm) <= 10
    assert [number for number in range(12) if not warm.cached(prefixes[number], OPUS, NOW_S)] == [1, 2]
    assert [number for number in range(12) if not warm.switched_to(prefixes[number], NOW_S)] == [1, 2]
