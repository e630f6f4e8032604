"""What is measured: of one mask, of a pair of frames, of a whole sequence."""
