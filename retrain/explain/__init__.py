"""Where in a photo a classifier sees what it says."""
