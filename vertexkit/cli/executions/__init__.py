"""`vertexkit executions`."""
