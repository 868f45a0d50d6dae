"""What people read: the plan, tables, figures, analyses and explanations."""
