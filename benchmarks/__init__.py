"""What README quotes: ratios against a named peer, interleaved in one run, medians.

`python -m benchmarks` in the repository runs all of them.
"""
