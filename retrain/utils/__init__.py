"""Small tools that know nothing of photos or networks."""
