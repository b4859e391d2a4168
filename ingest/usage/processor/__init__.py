"""Hands finalized invoices to a payment processor once each, and follows their payments."""
