"""Makes the ids of events and streams: a UUIDv7 (RFC 9562, section 5.7), whose first 48 bits are a time."""

from uuid import UUID


def uuid7(at_ms: int, random: int) -> UUID:
    """Return the UUIDv7 of a time and 80 random bits, six of which give way to version and variant."""
    number = at_ms << 80 | random
    return UUID(int=number & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)
