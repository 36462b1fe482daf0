"""How the book is made: notebooks are executed, checked, turned into pages and published."""
