"""Errors about erasures."""


class SubjectChanged(Exception):
    """The subject is gone, or is being erased already: somebody else was faster."""


class WritersBusy(Exception):
    """A writer's transaction did not end within the time that others may be kept waiting."""
