"""A run's folder as a noun: what the video is, what was said of it, its results, its history. Knows no network."""
