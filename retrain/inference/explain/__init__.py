"""Class-activation maps: where in a photo its label is seen."""
