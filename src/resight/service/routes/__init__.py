"""The routes of the API: search, sightings, and administration."""
