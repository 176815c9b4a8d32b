"""A growing text, split into messages."""
