"""`vertexkit dialogs`."""
