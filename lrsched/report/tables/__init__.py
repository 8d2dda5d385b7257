"""The table of a comparison as Markdown, LaTeX and CSV: the numbers of the terminal's, for papers and spreadsheets."""
