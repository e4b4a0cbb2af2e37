"""Servers to test against and ways to talk to them; nothing here asserts anything about Herd."""
