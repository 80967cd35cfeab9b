"""What the server tells of itself: logs, metrics, its health, and numbers for the page."""
