"""The nest: one long-lived container per engine, in which a program of Norn starts a sandbox for each run with crun."""
