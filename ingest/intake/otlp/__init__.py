"""OTLP/HTTP: reads spans and log records of other people's clients, and stores those that are calls of a model.

No message is built from a body as a whole: readers hand out one record at a time, with its attributes still encoded, so
that a hostile body costs no more memory than its bytes.
"""
