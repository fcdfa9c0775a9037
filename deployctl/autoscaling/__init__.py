"""Autoscalers: what a spec says of them, who holds one and until when, and the way back."""
