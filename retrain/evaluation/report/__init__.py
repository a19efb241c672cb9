"""The page of a run: one HTML file with figures, plots and photos, readable without a network."""
