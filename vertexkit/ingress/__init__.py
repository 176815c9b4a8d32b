"""From the platform's HTTP request to an accepted execution."""
