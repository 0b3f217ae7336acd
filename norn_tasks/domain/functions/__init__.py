"""Rules that apply only to functions: who may call a function, and the form of its output."""
