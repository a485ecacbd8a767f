"""From a trained generator to a version in service: evaluated, described, promoted."""
