"""Files that classifiers and modules come in: telling their formats, reading and writing them."""
