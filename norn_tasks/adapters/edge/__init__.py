"""The edge as a forge and a look see it, from outside: which certificate its ports present."""
