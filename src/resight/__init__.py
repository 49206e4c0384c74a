"""Resight finds a person again across cameras, on the processor people already have."""
