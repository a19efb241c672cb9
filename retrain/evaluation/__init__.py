"""How good a head is: arrays in, dataclass out."""
