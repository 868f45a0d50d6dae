"""What is known of languages: names, families, resources, distances."""
