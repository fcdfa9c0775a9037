"""The API server: from the bytes of a call to what is stored, and back, as kube-apiserver does it."""
