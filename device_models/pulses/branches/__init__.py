"""Where LTP and LTD begin and end in the readings, and what is no branch."""
