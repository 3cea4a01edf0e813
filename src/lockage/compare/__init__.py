"""Grades of equality and structural differences of two files."""
