"""Messages, topics, the Kafka client, the media store and the embedded broker: what every process may import."""
