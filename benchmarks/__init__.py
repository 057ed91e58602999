"""Each headline figure, one command each."""
