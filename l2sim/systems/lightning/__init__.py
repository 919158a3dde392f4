"""Payment channels: a graph of channels, source routing, HTLCs hop by hop, opens and closes on chain."""
