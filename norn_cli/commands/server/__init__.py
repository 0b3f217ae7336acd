"""Commands for the server: starting, saving and inspecting it, and access to it."""
