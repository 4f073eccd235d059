"""Measures how fast a program runs here, beside the bare library."""
