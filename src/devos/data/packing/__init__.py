"""Training data for the way: one folder checked, freed of what is held back, and written as a few archives."""
