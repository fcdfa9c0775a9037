"""What an object is to the API server: its fields, what is filled in, how it is patched, refused and owned."""
