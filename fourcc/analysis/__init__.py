"""Looking at weights: statistics, surveys, suggestions, differences, plots."""
