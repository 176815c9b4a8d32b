"""One journal for several processes of a machine, over a Unix socket."""
