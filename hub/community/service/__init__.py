"""What can be done with discussions, notifications, broadcasts and webhooks. Import the functions from here."""
