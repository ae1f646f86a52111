"""`python -m lamplighter.runtime`: what runs inside a workload."""

from lamplighter.runtime.agents.process import main

raise SystemExit(main())
