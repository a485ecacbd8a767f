"""From a trained generator to a version in service: measured, described, promoted."""
