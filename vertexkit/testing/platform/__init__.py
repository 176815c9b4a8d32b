"""The fake platform."""
