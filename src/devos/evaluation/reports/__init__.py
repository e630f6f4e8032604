"""An evaluation as figures for programs, tables for spreadsheets, and a page for people."""
