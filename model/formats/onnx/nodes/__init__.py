"""What each kind of node becomes."""
