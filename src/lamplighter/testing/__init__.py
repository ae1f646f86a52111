"""Testing: builders, checkers, the simulation and the contract suite that every target passes."""
