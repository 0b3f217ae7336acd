"""Where the source of an app comes from: git repositories, directories of this machine, and uploaded archives."""
