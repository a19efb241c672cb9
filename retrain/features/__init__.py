"""Features: one vector for each photo, computed once and kept on disk."""
