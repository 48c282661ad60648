"""What each column of a table is, and its cells as arrays."""
