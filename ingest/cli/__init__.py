"""The command line: each file declares a family of commands with `add`."""
