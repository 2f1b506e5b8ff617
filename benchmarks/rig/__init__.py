"""What the benchmarks share: streams of numbered messages, ports, writers, the server as a process, counters of CPU."""
