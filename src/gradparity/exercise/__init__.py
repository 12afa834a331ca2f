"""Exercises: a file with a backward pass to complete or to repair, checked line by line without telling the answer."""

from gradparity.exercise.catalog import Exercise, exercise, exercises, name_in, start
from gradparity.exercise.process import Outcome, Wrong, judge_file

__all__ = ["Exercise", "Outcome", "Wrong", "exercise", "exercises", "judge_file", "name_in", "start"]
