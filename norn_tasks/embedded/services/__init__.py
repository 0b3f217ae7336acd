"""The PostgreSQL and the Valkey that `norn up` runs for apps, separate from Norn's own stores."""
