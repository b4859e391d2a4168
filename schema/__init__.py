"""The promise: what an event may contain and why a body is refused. Needs only msgspec and the standard library."""
