"""How values look on a terminal. Text only; colours where the terminal has them."""
