"""What others write for the same task; each runs in an environment of its own and knows nothing of ours."""
