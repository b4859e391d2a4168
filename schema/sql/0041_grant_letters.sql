-- What a letter about a sign-in says: the browser, of a list of five. Not the digest of the session, nor its times.
GRANT SELECT (tenant_id, session_id, browser) ON nocontent.sessions TO nocontent_mailer;
