"""The commands (``cli``) and the pages (``page``): what a report holds is in ``parity``, how it is drawn in ``drawing``."""
