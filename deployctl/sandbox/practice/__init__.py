"""The sandbox that a person keeps: its process, its folder, its Services on the loopback."""
