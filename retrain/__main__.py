"""`python -m retrain` is `retrain`."""

from retrain.cli.main import main

main()
