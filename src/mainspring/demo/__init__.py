"""The demo plant: recordings, simulators and the records that connect them."""
