"""In-memory engine for real-time personalization."""
