"""Takes batches from bytes to COMMIT: the doors, admission, the gates, explanations, the queue and its writers."""
