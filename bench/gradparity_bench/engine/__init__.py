"""The timing engine: a process for each backend, in turns; ``gradparity_bench.run`` is the way in.

``run`` goes from point to point, ``measure`` measures one; ``process`` is the parent's end of a worker process and
``worker`` its own end. ``guard`` says why something is not timed; ``workload`` and ``limits`` are what is timed: a
contestant's training, and what the machine could do.

Importing this package loads nothing: a worker's thread limits must come before NumPy.
"""
