"""The desktop client's windows (PyQt5, pyqtgraph). Knows neither ports nor the store."""
