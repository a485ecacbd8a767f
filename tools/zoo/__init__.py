"""The maker of the zoo: trains, measures and packs the generators that a release ships."""
