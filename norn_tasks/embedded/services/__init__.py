"""The PostgreSQL and the Valkey that `norn up` runs for apps, apart from its own stores."""
