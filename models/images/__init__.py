"""Pixels to files: formats and contact sheets, the PNG encoder, animations."""
