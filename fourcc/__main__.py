"""`python -m fourcc`."""

from fourcc.cli.app import main

raise SystemExit(main())
