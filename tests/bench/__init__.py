"""`make bench`: the product's own code beside small anchor programs, as ratios; see docs/benchmarks.md."""
