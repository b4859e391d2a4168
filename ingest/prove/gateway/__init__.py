"""Proves a gateway: canaries through every path, a search for them everywhere, and attempts that the kernel refuses."""
