"""How fast Cattery serves beside other ways to put the same generator behind HTTP."""
