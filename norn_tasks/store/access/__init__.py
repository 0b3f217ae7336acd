"""Access: tokens, the audit, and idempotency keys."""
