"""Names the task category of a prompt, with a confidence: a hashed linear model of our own, which remembers nothing."""
