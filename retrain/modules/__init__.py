"""From any handle that a user gives to a backbone that can run."""
