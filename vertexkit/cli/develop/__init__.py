"""Commands for writing blocks."""
