"""A card's pulse steps on the evenly spaced nodes of aihwkit's piecewise device."""
