"""The promise: what an event may be, why a body is refused, and nothing else. Pure: msgspec and the standard library."""
