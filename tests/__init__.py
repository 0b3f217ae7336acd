"""The tests: unit (pure), contract (a port's fake and its real adapter alike), integration (real stores), e2e (all of it)."""
