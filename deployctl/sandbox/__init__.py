"""A practice cluster in one process: the Kubernetes API as far as a release needs it, with its controllers."""
