"""`python -m retrain` is `retrain`."""

from retrain.cli.train import main

main()
