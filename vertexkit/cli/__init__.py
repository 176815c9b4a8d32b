"""The command `vertexkit`: one module for each command, loaded when it is used."""
