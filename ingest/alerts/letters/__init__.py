"""Letters to people: facts in, subject, text and HTML out; pure, but for `facts.py`, which looks the facts up."""
