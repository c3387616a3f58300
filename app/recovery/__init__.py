"""What to do when a store was lost: fill it again, and say what nobody can know."""
