"""The biomechanics service: from landmarks over time to joint angles and a report."""
