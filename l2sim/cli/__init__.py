"""The command line. Modules here import what is heavy only inside commands, so that `l2sim --help` is instant."""
