"""What people decide about examples."""
