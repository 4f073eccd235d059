"""The set-up panels beside the picture wall."""
