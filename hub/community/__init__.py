"""What people say around repositories, and who is told: discussions, notifications, broadcasts, webhooks."""
