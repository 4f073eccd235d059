"""What the panels decide, without Qt."""
