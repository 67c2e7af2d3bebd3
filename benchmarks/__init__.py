"""Benchmarks against plain tools: ratios in one run, medians."""
