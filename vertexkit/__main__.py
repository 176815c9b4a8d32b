"""`python -m vertexkit` is the command `vertexkit`."""

from vertexkit.cli.main import main

main()
