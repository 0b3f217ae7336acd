"""Events: publishing one in the transaction of its fact, and reading them in their one order."""
