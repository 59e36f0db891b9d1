"""Lanner."""
