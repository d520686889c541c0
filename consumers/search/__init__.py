"""What can be asked of the index and what it answers: the words that indexer, page and command line share."""
