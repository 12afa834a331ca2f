"""The check on many random draws of a model: ``draws`` draws and checks them, and finds the first that disagrees."""
