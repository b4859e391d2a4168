"""Signed orders and receipts of erasures: documents, canonical JSON, keys, signatures, and the folder that keeps them.

An order is written before the first row goes, so that an erasure survives the restore of an earlier backup. A receipt
is written at the end, and anybody can check it offline.
"""
