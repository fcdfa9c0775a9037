"""Questions that are asked before traffic moves on: one file a gate."""
