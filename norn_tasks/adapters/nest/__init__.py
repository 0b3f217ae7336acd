"""The nest: one long-lived container per engine, in which a program of Norn starts a crun sandbox for each run."""
