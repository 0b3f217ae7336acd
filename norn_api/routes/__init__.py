"""The endpoints: one noun per file, one function per verb."""
