"""One journal, shared by processes over a Unix socket."""
