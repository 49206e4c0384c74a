"""Where sightings are kept: a folder with SQLite, or PostgreSQL."""
