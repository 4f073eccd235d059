"""The window's frame: look, bars, rail and docks."""
