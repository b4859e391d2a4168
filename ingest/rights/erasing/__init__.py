"""Carries out recorded erasures: the steps of one, and the round of the job."""
