"""Usage: what was stored, summed up by hour and day; the marks that say what has to be summed; prices."""
