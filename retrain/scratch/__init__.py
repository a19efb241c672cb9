"""Networks trained from scratch, on the pixels of one's own photos: what transfer is up against."""
