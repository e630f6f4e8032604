"""The plugin for napari: its manifest is `napari.yaml`; napari itself is never imported here."""
