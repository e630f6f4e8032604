"""Masks in the formats of other tools, both ways; one file for each format. Opens no videos."""
