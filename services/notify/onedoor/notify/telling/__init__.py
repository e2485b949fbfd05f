"""Who is told: notices, duty rosters, deliveries, the hotline's calls."""
