"""Train and measure in one go: what a part of the network is worth."""
