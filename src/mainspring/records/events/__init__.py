"""What happened, as EPCIS 2.0 says it: events that are only ever added to, and what follows from them."""
