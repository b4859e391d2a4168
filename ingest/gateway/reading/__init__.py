"""Reading a request in memory: the facts that routing decides by, and where the model's name stands."""
