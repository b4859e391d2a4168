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
}
