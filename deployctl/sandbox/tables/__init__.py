"""What `kubectl get` shows: the columns of every kind, and their cells."""
