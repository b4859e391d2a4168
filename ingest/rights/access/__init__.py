"""Access: everything that is held of a tenant or a person, in one archive, with an index of it."""
