"""What models are made of: each operation's formulas and why, shapes, kinks, flops and expressions, written once.

A model's spec composes the lines of its derivation of them. A line's forward formula comes from the operation that
computes it, its backward rule from the operation that reads it. The hand derivation of each is the file of the same
name in ``gradparity_manual/operations``.
"""

from gradparity.operations import cross_entropy, entrywise

EXPRESSIONS = {**entrywise.EXPRESSIONS, **cross_entropy.EXPRESSIONS}
"""What a line's value or its local derivative is made of: code with {0} for the operand, and what it computes."""
