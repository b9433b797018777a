"""What the simulations say of each method, and which one is to lead a report."""
