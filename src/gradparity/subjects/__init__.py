"""Every way in, each becoming a ``Problem``: models (``specs``), model files, and functions with a backward rule."""
