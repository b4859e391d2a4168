"""A provider on this machine: answers in the shapes of Anthropic's and OpenAI's APIs, well or badly on demand."""
