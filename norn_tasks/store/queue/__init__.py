"""Jobs as a queue: accepting, claiming, leases, slots, retries, ending, sweeping."""
