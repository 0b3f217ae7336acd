"""Sources: git repositories, directories of this machine, uploaded archives."""
