"""Child processes: starting them, reading their lines, ending their whole tree."""
