"""The conformance kit: try to get content and keys into a running service, and search for them everywhere."""
