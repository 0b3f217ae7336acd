"""Access: tokens, sign-in sessions, the audit, and idempotency keys."""
