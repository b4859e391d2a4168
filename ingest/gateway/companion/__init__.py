"""The process beside the workers: it asks the service who may, and reports what happened. It never sees content."""
