"""What a user should know before trusting the model, with numbers."""
