"""One in-process device per protocol, over a real socket, for tests and the demo plant."""
