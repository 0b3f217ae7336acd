"""The tests: unit (pure code), contract (a port's fake and its real adapter pass the same tests), integration (real
stores), e2e (a complete Norn).
"""
