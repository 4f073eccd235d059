"""The engine process: one per project, with or without a window."""
