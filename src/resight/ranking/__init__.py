"""Distances become an order."""
