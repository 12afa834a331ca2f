"""Loops from outside the framework, by the library that each trains with: a function from a Task to a Trainer."""
