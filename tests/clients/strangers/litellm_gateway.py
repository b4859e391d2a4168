"""LiteLLM as its users write it, in front of a gateway: one JSON line for each thing that was tried.

A program of its own, run by an interpreter that has LiteLLM. GATEWAY_URL, GATEWAY_TOKEN, ANTHROPIC_API_KEY and
OPENAI_API_KEY come from the environment.
"""

# ruff: noqa: T201 (a program of its own)

import asyncio
import json
import os
from collections.abc import Callable

import litellm
import openai

URL = os.environ["GATEWAY_URL"]
HEADERS = {"X-Nocontent-Token": os.environ["GATEWAY_TOKEN"]}
ASKED = {"messages": [{"role": "user", "content": "Which way is the quickest?"}], "max_tokens": 64}
MESSAGES = {"model": "anthropic/claude-opus-4-5", "api_base": URL, "extra_headers": HEADERS} | ASKED
CHAT = {"model": "openai/gpt-5-mini", "api_base": f"{URL}/v1", "extra_headers": HEADERS} | ASKED


def completion() -> object:
    answer = litellm.completion(**MESSAGES)
    return [answer.choices[0].finish_reason, answer.usage.completion_tokens]


def stream() -> object:
    parts = [part.choices[0].delta.content or "" for part in litellm.completion(**MESSAGES, stream=True)]
    return len("".join(parts)) > 0


async def asynchronous() -> object:
    answers = await asyncio.gather(*(litellm.acompletion(**MESSAGES) for _ in range(10)))
    return {answer.choices[0].finish_reason for answer in answers} == {"stop"}


def chat() -> object:
    answer = litellm.completion(**CHAT)
    return [answer.choices[0].finish_reason, answer.usage.completion_tokens]


def chat_stream() -> object:
    asked = CHAT | {"stream": True, "stream_options": {"include_usage": True}}
    usages = [part.usage for part in litellm.completion(**asked) if getattr(part, "usage", None)]
    return usages[-1].completion_tokens


TRIED: tuple[Callable[[], object], ...] = (completion, stream, chat, chat_stream)


def main() -> None:
    for tried in TRIED:
        _print(tried.__name__, tried)
    _print("asynchronous", lambda: asyncio.run(asynchronous()))


def _print(name: str, work: Callable[[], object]) -> None:
    try:
        found = work()
    except openai.OpenAIError as error:  # Those of LiteLLM are ones.
        found = type(error).__name__
    print(json.dumps([name, found]), flush=True)


if __name__ == "__main__":
    main()
