"""Every way in for what is to be checked."""
