"""The twelve evaluations, a file each, named as GradBench names them.

A file is a model file where its function has one number as its result: ``gradparity check`` reads it as it is.
"""
