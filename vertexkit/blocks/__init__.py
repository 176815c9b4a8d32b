"""Blocks: handlers with a name, policies and a contract."""
