"""Turbofans that run to failure: how many flights are left, and how sure is that?"""
