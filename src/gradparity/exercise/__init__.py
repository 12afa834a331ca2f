"""Exercises: a file with a backward pass to complete or to repair, checked line by line without telling the answer."""

from gradparity.exercise.catalog import Exercise, exercise, exercises, name_in, start
from gradparity.exercise.outcome import Outcome, Wrong
from gradparity.exercise.process import check

__all__ = ["Exercise", "Outcome", "Wrong", "check", "exercise", "exercises", "name_in", "start"]
