"""The YAML of infraspecs: reads it, records the position of each value, and explains mistakes of syntax."""
