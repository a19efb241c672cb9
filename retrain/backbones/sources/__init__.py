"""Module sources: from a handle to a backbone on this machine."""
