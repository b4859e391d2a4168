"""Prices of tokens: rates by provider, model, part, size and time, and the arithmetic. No database, and no guesses."""
