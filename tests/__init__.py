"""The tests: unit (pure), contract (a port's fake and its adapter), integration (real stores), e2e (all of it)."""
