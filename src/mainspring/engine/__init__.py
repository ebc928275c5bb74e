"""Current values and alarms over arrays indexed by tag ordinal."""
