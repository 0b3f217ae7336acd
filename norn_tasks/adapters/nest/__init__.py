"""The nest: one long-lived container per engine, in which a program of ours starts a sandbox for each run by crun."""
