"""GradBench's twelve evaluations, by hand, by JAX and by PyTorch, spoken in GradBench's own protocol.

GradBench (github.com/gradbench/gradbench) is a benchmark of differentiation that others made: its programs ask a tool,
in lines of JSON, for a function and for its derivative. ``gradparity gradbench --backend numpy`` is such a tool;
``protocol`` speaks, ``evals`` has a file for each evaluation, ``referee`` asks any tool and does not believe it,
and ``python -m gradparity_gradbench.contest`` times ours in turns with others.
"""
