"""Views that read several parts of the store: status, health, doctor, why, and figures."""
