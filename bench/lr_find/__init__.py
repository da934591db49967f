"""`bench lr-find`: learning-rate range tests, their curves and the rate to start from."""
