"""Channels on chain against a peer's will: force closes, claims of HTLCs, breaches, watchtowers, fee bumping."""
