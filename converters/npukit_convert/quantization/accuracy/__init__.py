"""What a quantised network is judged by: floors, evaluation frames, tasks."""
