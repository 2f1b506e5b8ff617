"""Analyse a recorded session with pandas: download, align, smooth, describe, and plot where matplotlib is installed.

python analyse_session.py [SERVER] [SESSION]
"""

import sys

import blitz
from blitz.data.database import DatabaseClient

server = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8999"

with blitz.Client(server) as client, DatabaseClient(path="analysis.db") as cache:
    session_id = int(sys.argv[2]) if len(sys.argv) > 2 else client.sessions()[0].id
    session = client.download(session_id, cache)  # what was downloaded before is not fetched again
    series = cache.series(session_id)  # {label: Series}; time, values = series["Supply voltage"]

frame = series.aligned(0.1, "linear").to_pandas()  # a column a channel, a row each 0.1 s
smooth = frame.rolling("2s", min_periods=1).mean()

print(
    f"Session {session.id} {session.name!r}: {session.message_count} messages since {session.started_at:%Y-%m-%d %H:%M}"
)
print(smooth.describe().T[["count", "mean", "std", "min", "max"]].to_string(float_format="%.4g"))
for label, numbers in series.statistics().items():
    print(f"{label}: {numbers.rate_hz:.3g} values a second, highest {numbers.maximum:.4g} {numbers.unit}")

try:
    import matplotlib  # pip install matplotlib
except ImportError:
    print(smooth.tail().to_string(float_format="%.4g"))
else:
    matplotlib.use("Agg")
    smooth.plot(subplots=True, figsize=(10, 2 * len(series))).item(0).figure.savefig("session.png")
    print("The plot is in session.png.")
