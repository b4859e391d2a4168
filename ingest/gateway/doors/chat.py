"""OpenAI's chat completions, for servers that speak them."""

from ingest.gateway.records import Door

CHAT = Door("chat", "POST", "openai", "chat")
DOORS = {b"/v1/chat/completions": CHAT}
