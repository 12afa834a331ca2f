"""The commands (``cli``) and pages (``page``): what a report holds is in ``parity``, how it is drawn in ``drawing``."""
