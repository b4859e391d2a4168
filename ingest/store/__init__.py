"""Holds all SQL: the only room that imports asyncpg and packs columns."""
