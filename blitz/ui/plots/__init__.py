"""Plots (pyqtgraph), one kind a file."""
