"""Stands in for the vendor's runtime."""
