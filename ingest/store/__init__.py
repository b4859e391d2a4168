"""Holds all SQL: the only room that imports asyncpg and packs columns."""

from ingest import config

config.export("OPENBLAS_NUM_THREADS", "1")  # Or numpy, once imported, starts a thread for each core, with memory.
