"""Serves an ASGI application over HTTP/1.1 from several processes; knows neither the database nor what it serves."""
