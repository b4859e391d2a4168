"""Confines the gateway's processes by the kernel, so that content cannot leave their memory but to an upstream."""
