"""The timing engine: a process for each backend, in turns; ``gradparity_bench.run`` is the way in.

``run`` goes from point to point, ``measure_point`` measures one; ``process`` is the parent's end of a worker process
and ``worker`` its own end; ``turns`` is the order in which they are timed. ``workload`` and ``limits`` are what is
timed: a backend's training step, and what the machine could do.

Importing this package loads nothing: a worker's thread limits must come before NumPy.
"""
