"""The people of a tenant: sign-in, sessions, invitations and what each role may do."""
