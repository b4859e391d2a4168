"""Serves an ASGI application over HTTP/1.1 from several processes; independent of database and application."""
