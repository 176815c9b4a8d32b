"""What the web pages of vertexkit share: their style, their components, and how files are served."""
