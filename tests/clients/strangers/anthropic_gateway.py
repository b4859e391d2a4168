"""Anthropic's SDK as its users write it: one JSON line for each thing that was tried.

A program of its own, run by an interpreter that has the SDK. Settings come from the environment, as the SDK's do:
ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY, ANTHROPIC_CUSTOM_HEADERS.
"""

# ruff: noqa: T201 (a program, and the SDK's own settings)

import asyncio
import json
import os
from collections.abc import Callable

import anthropic
import httpx2

MODEL = "claude-opus-4-5"
ASKED = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "Which way is the quickest?"}]}
TOOL = {
    "name": "get_weather",
    "description": "Get the weather",
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1_024}, "max_tokens": 2_048}
HEADERS = dict(line.split(": ", 1) for line in os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines())


def message(client: anthropic.Anthropic) -> object:
    answer = client.messages.create(**ASKED)
    return [answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens, answer.content[0].type]


def stream(client: anthropic.Anthropic) -> object:
    with client.messages.stream(**ASKED) as events:
        parts = list(events.text_stream)
        final = events.get_final_message()
    return [len(parts), final.stop_reason, final.usage.output_tokens]


def raw_stream(client: anthropic.Anthropic) -> object:
    return [event.type for event in client.messages.create(**ASKED, stream=True)][-1]


def tools(client: anthropic.Anthropic) -> object:
    answer = client.messages.create(**ASKED, tools=[TOOL])
    used = next(block for block in answer.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": used.id, "content": "rainy"}
    turns = [
        *ASKED["messages"],
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [result]},
    ]
    second = client.messages.create(**{**ASKED, "messages": turns}, tools=[TOOL])
    return [answer.stop_reason, used.input, second.stop_reason]


def stream_of_tools(client: anthropic.Anthropic) -> object:
    with client.messages.stream(**ASKED, tools=[TOOL]) as events:
        final = events.get_final_message()
    return next(block.input for block in final.content if block.type == "tool_use")


def thinking(client: anthropic.Anthropic) -> object:
    answer = client.messages.create(**ASKED | THINKING)
    turns = [
        *ASKED["messages"],
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": "Are you sure?"},
    ]
    second = client.messages.create(**ASKED | THINKING | {"messages": turns})
    return [answer.content[0].type, bool(answer.content[0].signature), second.stop_reason]


def stream_of_thinking(client: anthropic.Anthropic) -> object:
    with client.messages.stream(**ASKED | THINKING) as events:
        final = events.get_final_message()
    return [block.type for block in final.content]


def beta(client: anthropic.Anthropic) -> object:
    return client.beta.messages.create(**ASKED, betas=["context-1m-2025-08-07"]).stop_reason


def count_tokens(client: anthropic.Anthropic) -> object:
    return client.messages.count_tokens(model=MODEL, messages=ASKED["messages"]).input_tokens


def models(client: anthropic.Anthropic) -> object:
    return [len(client.models.list().data), client.models.retrieve("claude-haiku-4-5").id]


def headers(client: anthropic.Anthropic) -> object:
    answer = client.messages.with_raw_response.create(**ASKED)
    own = sorted(name for name in answer.headers if name.startswith("x-nocontent-"))
    return [answer.headers.get("request-id") is not None, own]


def failure(client: anthropic.Anthropic) -> object:
    try:
        client.messages.create(**ASKED, extra_headers={"x-provider": "status;400"})
    except anthropic.BadRequestError as error:
        return [error.status_code, error.type]
    return None


def overload(client: anthropic.Anthropic) -> object:
    patient = client.with_options(max_retries=0)
    try:
        patient.messages.create(**ASKED, extra_headers={"x-provider": "status;529"})
    except anthropic.APIStatusError as error:
        return [error.status_code, error.type]
    return None


def cut(client: anthropic.Anthropic) -> object:
    try:
        with client.messages.stream(**ASKED, extra_headers={"x-provider": "cut;4"}) as events:
            events.until_done()
    except (anthropic.AnthropicError, httpx2.HTTPError) as error:  # Which one is the affair of the SDK.
        return type(error).__name__
    return "whole"


TRIED: tuple[Callable[[anthropic.Anthropic], object], ...] = (
    message, stream, raw_stream, tools, stream_of_tools, thinking, stream_of_thinking, beta, count_tokens, models,
    headers, failure, overload, cut,
)  # fmt: skip


async def asynchronous() -> object:
    async with anthropic.AsyncAnthropic(default_headers=HEADERS) as client:
        answers = await asyncio.gather(*(client.messages.create(**ASKED) for _ in range(20)))
        async with client.messages.stream(**ASKED) as events:
            parts = [part async for part in events.text_stream]
    return [len(answers), {answer.stop_reason for answer in answers} == {"end_turn"}, len(parts)]


def main() -> None:
    with anthropic.Anthropic(default_headers=HEADERS) as client:
        for tried in TRIED:
            _print(tried.__name__, lambda tried=tried: tried(client))
    _print("asynchronous", lambda: asyncio.run(asynchronous()))


def _print(name: str, work: Callable[[], object]) -> None:
    try:
        found = work()
    except anthropic.AnthropicError as error:
        found = type(error).__name__
    print(json.dumps([name, found]), flush=True)


if __name__ == "__main__":
    main()
