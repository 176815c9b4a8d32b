"""Blocks to start from: each file is a whole service, for example example_blocks.loan:app."""
