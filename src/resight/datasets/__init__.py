"""A folder on the disk becomes records: path, identity, camera."""
