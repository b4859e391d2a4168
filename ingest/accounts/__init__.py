"""People who sign in: sessions, passwords, links, codes, and limits on attempts; the pages are not here."""
