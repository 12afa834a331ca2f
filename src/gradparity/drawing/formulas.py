"""LaTeX as a browser shows it without a network, and as one line of text: 1/n ∑ᵢ (log ∑ₖ e^(Zᵢₖ) − Z_(i yᵢ))."""

import html
from typing import Literal, NamedTuple
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markupsafe import Markup

UPPER = str.maketrans("0123456789+−in⊤", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁱⁿᵀ")
LOWER = str.maketrans("0123456789+−aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
BINARY = "=+−<>≤≥⊙·×∈"
CLOSING = ")]‖,"
SCRIPTS = {"msub": (LOWER,), "munder": (LOWER,), "msup": (UPPER,), "mover": (UPPER,)}
BOTH = ("msubsup", "munderover")


class Piece(NamedTuple):
    """A part of a formula as text."""

    text: str
    kind: Literal["letter", "name", "operator", "composed"]
    """"name": a function's; "composed": with an index, a power or a fraction."""


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


def unicode(latex: str) -> str:
    """Return a formula as one line of text, or its source where it is not LaTeX that can be converted.

    What Unicode cannot set small is written as LaTeX has it, with parentheses: e^(Zᵢₖ), Z_(i yᵢ).
    """
    try:
        return _row(convert_to_element(latex))
    except Exception:  # latex2mathml's errors have no common base
        return latex


def _row(element: Element) -> str:
    written = ""
    last: Piece | None = None
    for piece in map(_piece, element):
        if piece.text == ",":
            written += ", "
        elif piece.kind == "operator" and last is not None and last.kind != "operator":
            written += f" {piece.text} "
        else:
            written += (" " if last is not None and _apart(last, piece) else "") + piece.text
        last = piece
    return written.strip()


def _apart(left: Piece, right: Piece) -> bool:
    """Whether a space belongs between two factors: XW, but W₂ᵀ dZ, and max(z, 0)."""
    if right.text[:1] in CLOSING or left.kind in ("letter", "operator"):
        return False
    return left.kind == "composed" or not right.text.startswith("(")


def _piece(element: Element) -> Piece:
    parts = list(element)
    if element.tag in ("mi", "mn", "mo"):
        text = html.unescape(element.text or "").strip()
        return Piece(text, "name" if text.isalpha() and len(text) > 1 else "operator" if text in BINARY else "letter")
    if element.tag == "mfrac":
        return Piece("/".join(_factor(_one(part)) for part in parts), "composed")
    if element.tag == "msqrt":
        radicand = _row(element)
        return Piece(f"√{radicand}" if len(radicand) == 1 else f"√({radicand})", "composed")
    if element.tag in SCRIPTS or element.tag in BOTH:
        tables = (LOWER, UPPER) if element.tag in BOTH else SCRIPTS[element.tag]
        scripts = "".join(_script(_one(part), table) for part, table in zip(parts[1:], tables, strict=True))
        return Piece(_one(parts[0]) + scripts, "composed")
    return Piece(" " if element.tag == "mspace" else _row(element), "letter")


def _one(element: Element) -> str:
    return _piece(element).text


def _factor(text: str) -> str:
    return f"({text})" if " " in text else text


def _script(text: str, table: dict[int, int]) -> str:
    if all(ord(letter) in table for letter in text):
        return text.translate(table)
    sign = "_" if table is LOWER else "^"
    return f"{sign}{text}" if len(text) == 1 else f"{sign}({text})"
