"""Encrypted containers: one module per way of opening them."""
