"""One suite of probes, asked of the sandbox and of a real Kubernetes: both must give the answers in `seen`."""
