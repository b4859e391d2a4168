"""Mail: the outbox of letters, what each kind of letter promises, and what people do not want."""
