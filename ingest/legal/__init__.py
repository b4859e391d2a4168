"""Legal documents: published once and never changed, shown with the operator's details, accepted by version."""
