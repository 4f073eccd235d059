"""Connects the window with the engine."""
