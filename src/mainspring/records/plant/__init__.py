"""The plant: assets, tags, what connects them, the alarms they raise and the commands they take."""
