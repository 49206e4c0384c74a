"""Many images to vectors on the disk, resumable."""
