"""The promise: what an event may be, why a body is refused, and no more. Needs msgspec and the standard library."""
