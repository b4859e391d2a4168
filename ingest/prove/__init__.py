"""The conformance kit: tries to get content and keys into a running service, and finds that it cannot."""
