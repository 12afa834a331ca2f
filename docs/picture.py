"""``python docs/picture.py``: draw what a terminal shows of a check, as the SVG that stands in README."""

import io
import re
from pathlib import Path

from rich.console import Console

from gradparity.drawing.terminal import Shown
from gradparity.subjects.plain import check_code

HERE = Path(__file__).parent
EXAMPLE = HERE / "examples" / "train.py"
PICTURE = HERE / "_static" / "check.svg"
COLUMNS = 92


def draw() -> str:
    """Return the picture of  gradparity check docs/examples/train.py."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(f"[bold green]$[/] gradparity check docs/examples/{EXAMPLE.name}\n")
    console.print(Shown(check_code(str(EXAMPLE)).table))
    svg = console.export_svg(title="gradparity", unique_id="check")
    # rich would load its typeface from the network; the reader's own serves as well.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(f"The picture is {PICTURE}")
