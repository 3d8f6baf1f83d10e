"""How fast, how heavy: ratios to the bare minimum, measured on the machine that runs them, in one run."""
