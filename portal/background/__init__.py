"""What worker and beat run on: the schedule, and their signs of life."""
