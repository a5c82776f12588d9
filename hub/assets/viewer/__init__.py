"""Tables of data sets, to be looked at: pages of rows, statistics, filters, search."""
