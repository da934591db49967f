"""What results say, as data: cells, sections, tables and sentences. Computed once; every output shows the same."""
