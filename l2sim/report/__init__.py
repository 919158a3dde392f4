"""Reports: figures and one HTML page, made from result tables alone."""
