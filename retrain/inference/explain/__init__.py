"""Class-activation maps: where in a photo a classifier sees its label."""
