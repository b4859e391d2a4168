"""The hosted gateway: forwards requests to a provider, picks the model in memory, and keeps nothing."""
