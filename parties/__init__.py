"""What one independent organisation runs: its node. Nothing imports this package."""
