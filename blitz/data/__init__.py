"""Sessions as data: blocks, decoding, the store, the cache, export. Never the network, never a port."""
