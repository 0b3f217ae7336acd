"""Beat: the schedules, rebuilt from the table; wake-ups and the sweeper live in the same loop."""
