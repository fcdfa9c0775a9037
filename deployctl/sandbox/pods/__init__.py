"""The kubelet, and what it runs pods with: processes on the loopback, or the imagination."""
