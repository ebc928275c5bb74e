"""Telling people of alarms when no page is open: from the alarm stream to mail and webhooks."""
