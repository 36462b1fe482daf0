"""Beyond the paper: a learned activation in a transformer and in a convolutional network."""
