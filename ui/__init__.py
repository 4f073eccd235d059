"""Qt widgets. Knows the engine only by its client, protocol, config and errors."""
