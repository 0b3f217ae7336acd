"""Events: publishes an event in the same transaction as its fact, and reads all events in one order."""
