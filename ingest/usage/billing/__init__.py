"""From sums of usage and a plan to drafts, invoices, corrections and credit notes."""
