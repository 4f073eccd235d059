"""Speed as ratios against the bare library, measured in one run; never a timed test."""
