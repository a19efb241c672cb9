"""Files that hold classifiers and modules: telling their formats, reading them, writing them."""
