"""Good events of any contents."""

import random
from typing import get_args

from schema import limits
from schema.event import Status, StopReason
from tests.support import customers, sample

_MODELS = ("claude-opus-4-5", "gpt-4o-2024-08-06", "unknown", "01-ai/Yi-34B-Chat")


def random_event(seed: int) -> dict[str, object]:
    """Return a good event of any contents; the edges of every number are likely."""
    chance = random.Random(seed)

    def number(most: int) -> int:
        return chance.choice([0, 1, most - 1, most, chance.randint(0, most)])

    output, latency = number(limits.OUTPUT_TOKENS_MAX), number(limits.LATENCY_MS_MAX)
    tags = {key: chance.choice(values) for key, values in customers.TAGS.items() if chance.random() < 0.5}
    changed = {
        "requested_model": chance.choice(_MODELS),
        "routed_model": chance.choice(_MODELS),
        "provider": chance.choice(["anthropic", "openai", "unknown"]),
        "input_tokens": number(limits.INPUT_TOKENS_MAX),
        "cache_read_tokens": number(limits.INPUT_TOKENS_MAX),
        "cache_write_5m_tokens": number(limits.INPUT_TOKENS_MAX),
        "cache_write_1h_tokens": number(limits.INPUT_TOKENS_MAX),
        "output_tokens": output,
        "reasoning_tokens": chance.choice([0, output, chance.randint(0, output)]),
        "cost_nanousd": chance.choice([None, number(limits.COST_NANOUSD_MAX)]),
        "baseline_cost_nanousd": chance.choice([None, number(limits.COST_NANOUSD_MAX)]),
        "latency_ms": latency,
        "ttft_ms": chance.choice([None, 0, latency]),
        "status": chance.choice(get_args(Status)),
        "http_status": chance.choice([None, 100, 599, chance.randint(100, 599)]),
        "stop_reason": chance.choice([None, *get_args(StopReason)]),
        "tags": tags,
        **{name: chance.random() < 0.5 for name, value in sample.GOOD.items() if isinstance(value, bool)},
    }
    return {"event_id": sample.uuid7(sample.now_ms() - chance.randrange(29 * sample.DAY_MS)), **sample.GOOD, **changed}
