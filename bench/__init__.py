"""The cost of ingestion, measured from outside; docs/performance.md has the figures.

A load is a line in `scenario.py`, and a spelling of a body is a function in `bodies.py`; `systems.py` starts a system.
A step within a process, of the service or of a sender, is a line in `steps.py`: `micro` times it, and `instructions`
counts it. A question about stored rows is a query in `reads.py`. `reporter` measures a proxy that reports, which is
`reporting.py`. `classifier/` trains the gateway's classifier, and measures what it is worth.
"""
