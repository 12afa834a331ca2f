"""The exercises that belong to the lessons: a folder for each, found through the entry-point group of exercises."""
