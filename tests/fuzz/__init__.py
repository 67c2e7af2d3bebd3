"""Readers of hostile bytes, given mutated ones: `make fuzz`."""
