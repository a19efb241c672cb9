"""Photos: finding them, telling them apart, dividing them into sets, reading them."""
