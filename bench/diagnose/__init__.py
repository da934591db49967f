"""What a trained model gets right and wrong, as pages with figures and tables: one a trial, and models side by side."""
