"""``gradparity mutate my_kernel.py:Rule -- pytest tests/``: which mistakes in a rule do its own tests let pass?"""
