"""Events: publishing an event in the transaction of its fact, and reading all events in one order."""
