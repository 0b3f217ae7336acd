"""Read-only views across rooms: status, health, doctor, why, figures."""
