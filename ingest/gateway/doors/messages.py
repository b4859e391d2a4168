"""Anthropic's Messages API, and the count of a message's tokens."""

from ingest.gateway.records import Door

MESSAGES = Door("messages", "POST", "anthropic", "messages")
COUNT_TOKENS = Door("count-tokens", "POST", "anthropic", "messages", is_reported=False)
DOORS = {b"/v1/messages": MESSAGES, b"/v1/messages/count_tokens": COUNT_TOKENS}
