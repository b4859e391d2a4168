"""What is told to people unasked: letters, and what has them sent."""
