"""Letters to people: facts in, subject, text and HTML out; pure, but for `gather.py` and `week.py`, which look up."""
