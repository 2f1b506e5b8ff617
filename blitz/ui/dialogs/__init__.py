"""Dialogs, each asking for one thing."""
