"""Neural network layers, losses and initialisers."""
