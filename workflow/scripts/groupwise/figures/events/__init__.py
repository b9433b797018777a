"""Parts of figures of outcomes that are events or counts: groups by their share or rate of events."""
