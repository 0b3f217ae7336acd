"""The supervisor of Norn's processes: its configuration, start, and progress."""
