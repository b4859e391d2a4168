"""Rights on data: export, access, correction, erasure and retention, with receipts that can be checked."""
