"""An order becomes a score."""
