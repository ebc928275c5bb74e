"""NATS JetStream: start, connect, publish, consume, ask."""
