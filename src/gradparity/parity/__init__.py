"""Do they agree? Line by line, and when not, which line is wrong.

``problem`` is what is asked, ``examine`` has it run, ``judge`` compares, ``budget`` sets float32's limit, ``diagnosis``
says why, and ``report`` is the answer.
"""

from gradparity.parity.problem import LANES, draw_params
from gradparity.parity.report import Report, Row

__all__ = ["LANES", "Report", "Row", "draw_params"]
