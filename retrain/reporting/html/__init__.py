"""The report: one page with metrics, galleries and findings."""
