"""Do they agree? Line by line, and when not, which line is wrong."""

from gradparity.parity.check import LANES, check, draw_params
from gradparity.parity.report import Report, Row

__all__ = ["LANES", "Report", "Row", "check", "draw_params"]
