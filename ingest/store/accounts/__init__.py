"""People, their sessions, links and secrets, as functions of the database keep them; it never sees a password."""
