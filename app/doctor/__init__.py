"""Finds out why Penstock does not work on a machine, one question per child process."""
