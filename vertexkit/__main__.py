"""`python -m vertexkit` runs the command `vertexkit`."""

from vertexkit.cli.main import main

main()
