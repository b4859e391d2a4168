"""What was used, what it cost and what it saved: sums of events, and the documents made of them."""
