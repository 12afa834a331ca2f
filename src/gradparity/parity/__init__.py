"""Do they agree? Line by line, and when not, which line is wrong."""

from gradparity.parity.problem import LANES, draw_params
from gradparity.parity.report import Report, Row

__all__ = ["LANES", "Report", "Row", "draw_params"]
