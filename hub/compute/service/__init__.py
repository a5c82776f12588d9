"""What can be done with workloads and with what they run on. Import the functions from the modules here."""
