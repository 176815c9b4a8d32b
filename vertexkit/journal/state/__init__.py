"""The rules of every journal, in memory."""
