"""The commands of `norn`, one per file, loaded when they are used."""
