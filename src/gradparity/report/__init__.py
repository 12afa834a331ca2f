"""The command line (``cli``) and the pages (``page``): what a report holds is in ``parity``, how a table is drawn in ``drawing``."""
