"""The nearest of all vectors, exactly, in memory."""
