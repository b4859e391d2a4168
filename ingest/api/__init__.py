"""HTTP: reads requests, calls the machine, speaks of what went wrong. No SQL, no policy."""
