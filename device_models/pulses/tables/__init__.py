"""From the bytes of a file to one table of text, whatever its form."""
