"""Small widgets that know nothing of each other."""
