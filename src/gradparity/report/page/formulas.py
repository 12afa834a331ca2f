"""LaTeX to MathML, which browsers show without a network or a script."""

import html
from xml.etree import ElementTree as ET

from latex2mathml.converter import convert_to_element
from markupsafe import Markup


def mathml(latex: str) -> Markup:
    """Return a formula as MathML, or its source where it is not LaTeX that can be converted."""
    try:
        formula = convert_to_element(latex, display="block")
    except Exception:  # latex2mathml's errors have no common base
        return Markup("<code>{}</code>").format(latex)
    for node in formula.iter():
        # Upright letters come as numeric entities, without the variant that keeps browsers from slanting them.
        if node.tag == "mi" and node.text and node.text.startswith("&#x000"):
            node.set("mathvariant", "normal")
        node.text = html.unescape(node.text or "")
        # \lVert and \rVert keep their size in LaTeX; browsers stretch only the left one.
        if node.text == "‖":
            node.set("stretchy", "false")
        # A function's name is an identifier: as an operator it would keep away from its parenthesis.
        if node.tag == "mo" and node.text.strip().isalpha():
            node.tag, node.text = "mi", node.text.strip()
    return Markup(ET.tostring(formula, encoding="unicode"))
