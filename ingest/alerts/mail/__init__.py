"""Sends the letters of the outbox by SMTP, and reads reports of those that came back."""
