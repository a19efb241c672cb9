"""Finding out how a graph is fed: a file for each format, and the facts that they find."""
