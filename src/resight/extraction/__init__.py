"""Many images to vectors on the disk, in work that resumes."""
