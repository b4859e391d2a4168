"""What people and their programs are told unasked: letters, webhooks, and the jobs that have them sent."""
