"""The client of the providers: HTTP/1.1 over kept connections, with time-outs, one retry, fallbacks and circuits."""
