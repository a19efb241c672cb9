"""Telling by their pixels whether two photos show the same picture, or the same scene."""
