"""Device managers over a network: keys, the encrypted connection, and the gateway at its end."""
