"""What each benchmark scores, on which frames, and how figures are brought together."""
