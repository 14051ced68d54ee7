"""Published tables as data, and the functions that reproduce them. Standard library only: the site shows these as pages."""
