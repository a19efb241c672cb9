"""The audit: what is wrong with the photos themselves (copies, leaks, wrong labels, outliers)."""
