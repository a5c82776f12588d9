"""What tests stand on: real servers, real clients, and the files that they move."""
