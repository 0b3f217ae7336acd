"""The router of `norn up`, which outlives `norn down`: its keeper, its start and its end."""
