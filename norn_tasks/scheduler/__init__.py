"""Beat: one loop that decides schedules from their table, repeats wake-ups, and runs the sweeper."""
