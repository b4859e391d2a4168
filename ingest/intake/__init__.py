"""Takes a batch from its bytes to COMMIT: doors, admission, gates, explanations, the queue and its writers."""
