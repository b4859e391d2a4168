"""The machine that keeps the promise of `schema`."""
