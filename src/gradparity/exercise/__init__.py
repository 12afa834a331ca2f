"""Exercises: a file with a backward pass to complete or to repair, checked line by line without telling the answer."""

from gradparity.exercise.catalog import Exercise, exercise, exercises, name_in, start
from gradparity.exercise.grading import Grade, grade
from gradparity.exercise.judge import Outcome, Wrong, judge_file

__all__ = ["Exercise", "Grade", "Outcome", "Wrong", "exercise", "exercises", "grade", "judge_file", "name_in", "start"]
