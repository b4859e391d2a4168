"""What a page says after an act. A link carries the id alone, so nobody can make the console say anything else."""

NOTICES = {
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "You are signed out on every device.",
    "session-ended": "Your session has ended. Sign in again.",
    "session-revoked": "That session is signed out.",
    "account-saved": "Your details are saved.",
    "password-changed": "Your password is changed. All other sessions are signed out.",
    "totp-enabled": "Two-step sign-in is on. Keep your recovery codes somewhere safe.",
    "totp-disabled": "Two-step sign-in is off.",
    "reset-requested": "If that account exists, its operator now has a reset link for you.",
    "terms-registered": "The terms are registered. Proxies may send them within a second.",
    "term-retired": "The term is retired. Proxies that send it are refused within a second.",
    "tag-declared": "The tag key is declared. Register its values next.",
    "mode-set": "The mode is set. Workers follow within a second.",
    "token-revoked": "The token is revoked. Every worker refuses it within 10 seconds.",
    "role-set": "The role is set.",
    "person-disabled": "That person is kept out. Every session and link has ended.",
    "person-enabled": "That person can sign in again.",
    "person-removed": "That person is removed.",
    "person-signed-out": "That person is signed out on every device.",
    "person-totp-ended": "That person signs in without codes from now on.",
}
