"""Submissions for the benchmarks' servers."""
