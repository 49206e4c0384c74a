"""Back ends of a gallery: a folder with SQLite, or PostgreSQL."""
