"""What the service costs, beside what PostgreSQL allows and what others do: all in one run, in turns, on one server."""
