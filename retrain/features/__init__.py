"""Features: one bottleneck vector per photo, computed once and kept on disk."""
