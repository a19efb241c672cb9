"""A graph is a program: what other people's files may do is checked before they are run."""
