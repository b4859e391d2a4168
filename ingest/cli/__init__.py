"""The command line: one file a family of commands, each with an `add` that declares them."""
