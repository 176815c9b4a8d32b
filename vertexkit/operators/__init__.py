"""What operators ask of a journal: the commands `vertexkit executions` and the console use it."""
