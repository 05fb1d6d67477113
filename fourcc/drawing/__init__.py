"""Pictures and tables as SVG and HTML, drawn from plain values: pieces of the report, and what notebooks show."""
