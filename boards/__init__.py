"""Boards: does it fit and run."""
