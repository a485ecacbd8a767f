"""Reads everything in the store as its users would, and repairs what it finds damaged."""
