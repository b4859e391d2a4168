"""Decides who may use the gateway: by what the service told the companion, in memory that every worker reads."""
