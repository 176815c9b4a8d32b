"""Example blocks. Each file is a complete service, for example example_blocks.loan:app."""
