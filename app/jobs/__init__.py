"""Jobs as clients see them: submitting, canceling, their events, uploads."""
