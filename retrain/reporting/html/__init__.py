"""The HTML report: one page with metrics, galleries and findings."""
