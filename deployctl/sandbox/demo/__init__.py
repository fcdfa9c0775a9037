"""The stories of `make demo`: real releases under load in a sandbox of their own, drawn and counted."""
