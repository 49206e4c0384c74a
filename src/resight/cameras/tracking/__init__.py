"""People on frames become tracks: motion and appearance, one frame after the other."""
