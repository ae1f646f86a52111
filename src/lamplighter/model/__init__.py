"""The model: frozen values for the system, facts, findings, actions, plans and errors. No I/O."""
