"""The drawn camera network: people, streets and crops with ground truth, without an image of a real person."""
