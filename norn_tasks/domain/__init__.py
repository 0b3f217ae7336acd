"""Values and rules, without any input or output: what Norn talks about."""
