"""A real one-node Kubernetes on a bare Debian machine, in a network namespace of its own."""
