"""What runs leave behind, the scores of it, and how sure they are."""
