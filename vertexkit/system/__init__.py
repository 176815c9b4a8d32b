"""What a process gets from its machine: private files and background tasks."""
