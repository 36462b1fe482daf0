"""Images as classification and as regression (Sections 3.1 and 3.2)."""
