"""Stands in for the vendor's driver, which is imported when the first accelerator is made."""

OPENED: list[object] = []
