"""Runs jobs in the background, each led by one process of the cluster; rooms above declare the jobs."""
