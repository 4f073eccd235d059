"""Starts things: command line, window, headless runs. The only place that wires parts together."""
