"""From a claimed execution to its outcome."""
