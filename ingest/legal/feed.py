"""The list of subprocessors for programs: JSON, and a feed (Atom, RFC 4287) of what is announced and what ends."""
