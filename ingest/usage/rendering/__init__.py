"""Pages of invoices: a sheet of words and amounts, and the HTML and PDF of it. No text of anybody's is on one."""
