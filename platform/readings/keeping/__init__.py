"""Keeping the reading list: adding, ordering, dating, hiding and removing papers, BibTeX, and copies for the next offering."""
